"""Figures 3 and 4 of the paper in its biggest space: MobileNetV3 networks on ImageNet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from diffusionnag.search.proposers import ACQUISITIONS, STRATEGIES
from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import (
    FEWER_TRIALS,
    FREE_BASELINES,
    MODEL_BASELINES,
    STRATEGY_SEARCHERS,
    biggest_space,
)
from experiments.search.search_curves import Curves, better, curves_of, figures, picture_of

SEEDS = tuple(range(10))
USUAL_SEEDS = tuple(range(30))
"""Of the acquisition function that searches use unless another is asked for."""
SHOWN = (10, 20, FEWER_TRIALS)
EARLY = 20
"""After so many the usual candidates should have what the baselines have after twice as many."""


def mobilenetv3_search(report: Callable[[str], None]) -> ResultTable:
    """Return best-so-far values of all strategies, acquisition functions and baselines.

    Raises DiffusionNAGError where the table or Once-for-All's predictor is not installed.
    """
    benchmark = biggest_space()
    groups: dict[str, Curves] = {}
    for acquisition in ACQUISITIONS:
        searchers = [replace(searcher, acquisition=acquisition) for searcher in STRATEGY_SEARCHERS]
        seeds = USUAL_SEEDS if acquisition == ACQUISITIONS[0] else SEEDS
        groups[acquisition] = curves_of(benchmark, searchers, report, FEWER_TRIALS, seeds)
    ours, usual = next(iter(groups[ACQUISITIONS[0]].items()))
    paired = usual[: len(SEEDS)]
    others = (*FREE_BASELINES, *MODEL_BASELINES)
    baselines = curves_of(benchmark, others, report, FEWER_TRIALS, SEEDS)
    rows = []
    for name, curves in [*groups.items(), ("-", baselines)]:
        first = paired if name == "-" else next(iter(curves.values()))
        for searcher, runs in curves.items():
            compared = _compared(first, runs) if runs is not first else ("-", "-", "-")
            rows.append((name, searcher.label, *figures(runs, SHOWN), *compared))
    return ResultTable(
        title="Strategies, acquisition functions and baselines in MobileNetV3 (paper, Figures 3 and 4)",
        columns=(
            *("acquisition", "searcher", *(f"after {trials}" for trials in SHOWN), "area", "p"),
            *(f"its {EARLY} after", f"its {FEWER_TRIALS}: higher / equal / lower"),
        ),
        rows=tuple(rows),
        notes=(
            "ImageNet top-1 in % of the best so far, by Once-for-All's own predictor, calibrated on 2,162 "
            f"measured architectures at 224 pixels (`{benchmark.searched}`). Mean and 95 % interval of "
            f"{len(SEEDS)} seeds, for all kinds of candidates with {ACQUISITIONS[0]} of "
            f"{len(USUAL_SEEDS)}.",
            f"Area: the mean of the curve over {FEWER_TRIALS} measurements. p: Wilcoxon's signed-rank test, "
            f"paired over seeds, that the area of {STRATEGIES[0]} candidates, half guided, half mutated, is "
            "not larger. The kinds of candidates share predictor, warm-up and everything else. Baselines "
            f"are compared with {STRATEGIES[0]} candidates and {ACQUISITIONS[0]}.",
            f"Its {EARLY} after: measurements until the mean curve is as high as that of {STRATEGIES[0]} "
            f"candidates after {EARLY}.",
        ),
        picture=picture_of(
            {**groups, "baselines": {ours: paired, **baselines}},
            "Search in MobileNetV3",
        ),
    )


def _compared(usual: np.ndarray, others: np.ndarray) -> tuple[str, str, str]:
    """Return the p-value of a larger area, when others are as good, and who is higher at the end."""
    reached = others.mean(0) >= usual.mean(0)[EARLY - 1]
    when = str(int(reached.argmax()) + 1) if reached.any() else f"> {FEWER_TRIALS}"
    last = usual[:, -1] - others[:, -1]
    won = f"{(last > 0).sum()} / {(last == 0).sum()} / {(last < 0).sum()}"
    return better(usual, others), when, won
