"""The paper's tables and figures, and the library's own figures, as commands."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.experiments.distribution import distribution
from diffusionnag.experiments.few_labels import few_labels
from diffusionnag.experiments.graph_guided import graph_guided
from diffusionnag.experiments.guided_quality import guided_quality
from diffusionnag.experiments.image_encoder import image_encoder
from diffusionnag.experiments.limits import limits
from diffusionnag.experiments.plug_and_play import plug_and_play
from diffusionnag.experiments.result_table import ResultTable, write_result
from diffusionnag.experiments.shipped_predictors import shipped_predictors
from diffusionnag.experiments.surrogate import surrogate
from diffusionnag.experiments.table3 import table3
from diffusionnag.experiments.table4 import table4
from diffusionnag.experiments.validity import validity
from diffusionnag.experiments.wiring import wiring

__all__ = ["EXPERIMENTS", "Experiment", "get_experiment", "write_result"]

Experiment = Callable[[Callable[[str], None]], ResultTable]
"""Takes a function that shows progress; returns its table."""

EXPERIMENTS: dict[str, Experiment] = {
    "validity": validity,
    "distribution": distribution,
    "guided-quality": guided_quality,
    "table3": table3,
    "table4": table4,
    "limits": limits,
    "plugplay": plug_and_play,
    "shipped-predictors": shipped_predictors,
    "few-labels": few_labels,
    "wiring": wiring,
    "graph-guided": graph_guided,
    "surrogate": surrogate,
    "image-encoder": image_encoder,
}

PACKAGES = {"scipy": "scipy", "networkx": "networkx", "sklearn": "scikit-learn"}
"""What experiments import, and the package that brings it."""


def get_experiment(name: str) -> Experiment:
    """Return an experiment by name; raises DiffusionNAGError for an unknown one."""
    if name not in EXPERIMENTS:
        raise DiffusionNAGError(f"no experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    for module, package in PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            raise DiffusionNAGError(
                f"experiments need {package}: pip install 'diffusionnag[experiments]'"
            )
    return EXPERIMENTS[name]
