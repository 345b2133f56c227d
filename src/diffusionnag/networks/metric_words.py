"""What a training reached, in words."""

from __future__ import annotations

from collections.abc import Mapping


def metric_title(metric: str) -> str:
    """Return what a metric is called, with its unit."""
    return "accuracy in %" if metric == "accuracy" else metric.replace("_", " ")


def metric_unit(metric: str) -> str:
    """Return what stands behind a value of a metric."""
    return " %" if metric == "accuracy" else ""


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Return metrics with their names, as `accuracy 91.20 %` or `rmse 0.312, r2 0.81`."""
    return ", ".join(
        f"accuracy {value:.2f} %" if name == "accuracy" else f"{metric_title(name)} {value:.4g}"
        for name, value in metrics.items()
    )
