"""Pruners: which measurements to end early, by what they report while they run."""

from __future__ import annotations

from collections.abc import Callable

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)

from diffusionnag.search._choices import check_choice

REDUCTION = 3
"""Of so many trials one rises from rung to rung, as published for Hyperband (Li et al. 2018)."""

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "none": NopPruner,
    "hyperband": lambda: HyperbandPruner(min_resource=1, reduction_factor=REDUCTION),
    "asha": lambda: SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION),
    "median": MedianPruner,
}
"""Optuna's pruners by name."""


def new_pruner(name: str) -> BasePruner:
    """Return Optuna's pruner of that name; raises DiffusionNAGError for an unknown one."""
    check_choice("pruner", name, PRUNERS)
    return PRUNERS[name]()
