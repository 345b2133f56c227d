"""The metrics that groups of architectures reached, trained alike: statistics, and their file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from diffusionnag._confidence import interval
from diffusionnag._files import read_json, write_atomically
from diffusionnag.artifacts.model_cards import About
from diffusionnag.artifacts.schema import from_json
from diffusionnag.errors import DiffusionNAGError

COMPARISON_FILE = "comparison.json"
"""The accuracies of a comparison, in its folder."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, and half the width of its 95 % interval; NaN with one seed."""

    mean: float
    half: float

    def __str__(self) -> str:
        half = "" if np.isnan(self.half) else f" ± {self.half:.2f}"
        return f"{self.mean:.2f}{half}"


@dataclass(frozen=True)
class Comparison:
    """Accuracies in % of each group, `architectures x seeds`, and of what space and origin they are.

    `groups` holds the groups' architectures as strings, by name. The values are those of another
    `metric` where the task has no accuracy.
    """

    search_space: str
    groups: dict[str, tuple[str, ...]]
    accuracies: dict[str, np.ndarray]
    about: About
    metric: str = "accuracy"


def accuracy_intervals(accuracies: np.ndarray) -> tuple[Interval, Interval, Interval]:
    """Return max, mean and min over architectures, each averaged over seeds."""
    statistics = (accuracies.max(0), accuracies.mean(0), accuracies.min(0))
    return tuple(Interval(float(each.mean()), float(interval(each))) for each in statistics)  # type: ignore[return-value]


def welch_p_value(first: np.ndarray, second: np.ndarray) -> float:
    """Return the p-value of Welch's t-test that two groups have the same mean accuracy.

    Samples are the architectures' mean accuracies over seeds; NaN with fewer than two of either.
    """
    if min(len(first), len(second)) < 2:
        return float("nan")
    from scipy import stats

    return float(stats.ttest_ind(first.mean(1), second.mean(1), equal_var=False).pvalue)  # type: ignore


def comparison_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return a row for each group: name, max, mean, min, and the p-value against the first group."""
    first = next(iter(comparison.accuracies))
    return [
        (
            name,
            *map(str, accuracy_intervals(accuracies)),
            "-"
            if name == first
            else f"{welch_p_value(comparison.accuracies[first], accuracies):.3g}",
        )
        for name, accuracies in comparison.accuracies.items()
    ]


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write a comparison into its folder; raises EnvironmentFailureError where that fails."""
    accuracies = {name: each.tolist() for name, each in comparison.accuracies.items()}
    kept = {
        "search_space": comparison.search_space,
        "groups": comparison.groups,
        "accuracies": accuracies,
        "metric": comparison.metric,
        "about": asdict(comparison.about),
    }
    with write_atomically(folder / COMPARISON_FILE) as temporary:
        temporary.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def read_comparison(path: Path) -> Comparison:
    """Return the comparison in a file; raises DiffusionNAGError where it is damaged."""
    try:
        kept = read_json(path)
        groups = {str(name): tuple(map(str, texts)) for name, texts in kept["groups"].items()}
        accuracies = {name: np.array(kept["accuracies"][name], dtype=float) for name in groups}
        about = from_json(About, kept["about"], "about")
        search_space = str(kept["search_space"])
        metric = str(kept.get("metric", "accuracy"))
    except (ValueError, KeyError, TypeError, AttributeError, DiffusionNAGError) as error:
        raise DiffusionNAGError(f"{path} is damaged; run the comparison again") from error
    fitting = (each.ndim == 2 and len(each) == len(groups[n]) for n, each in accuracies.items())
    if not groups or not all(fitting) or not all(each.size for each in accuracies.values()):
        raise DiffusionNAGError(f"{path} is damaged; run the comparison again")
    return Comparison(search_space, groups, accuracies, about, metric)
