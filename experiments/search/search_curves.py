"""Best-so-far curves of many searches: their means, what one gains over another, and their picture."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from diffusionnag._confidence import interval
from diffusionnag.report import plot_curves
from diffusionnag.search.proposers import ACQUISITIONS, STRATEGIES
from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import (
    DATASETS,
    SEARCHERS,
    SEEDS,
    STRATEGY_SEARCHERS,
    TRIALS,
    big_space,
    runs_of,
    short_training,
    test_accuracy,
)
from experiments.search.search_runs import Benchmark, Searcher, run_searches
from experiments.statistics import mean_and_interval, p_above_zero

SHOWN = (20, 50, 100)

Curves = Mapping[Searcher, np.ndarray]
"""The best so far after each trial, `seeds x trials`, of each searcher."""


def figure3(report: Callable[[str], None]) -> ResultTable:
    """Return best-so-far values of all strategies and baselines on seven benchmarks (Figure 3)."""
    benchmarks = [
        *(test_accuracy(dataset) for dataset in DATASETS),
        *(short_training(dataset) for dataset in DATASETS),
        big_space(),
    ]
    curves = {benchmark.name: curves_of(benchmark, SEARCHERS, report) for benchmark in benchmarks}
    return ResultTable(
        title="Best so far by number of measured architectures (paper, Figure 3)",
        columns=("benchmark", "searcher", *_headings(), "p"),
        rows=_rows(curves),
        notes=(
            "Accuracy in % of the best so far; on NAS-Bench-201 the test accuracy after 200 epochs, "
            "also where validation accuracy after 12 epochs was searched; on MnasNet ImageNet top-1 "
            f"of the surrogate (results/surrogate.md). Mean and 95 % interval of {len(SEEDS)} seeds.",
            *_notes(),
        ),
        picture=picture_of(curves, "Search: best so far"),
    )


def figure4(report: Callable[[str], None]) -> ResultTable:
    """Return best-so-far values of each strategy with each acquisition function (Figure 4)."""
    curves = {}
    for acquisition in ACQUISITIONS:
        searchers = [replace(searcher, acquisition=acquisition) for searcher in STRATEGY_SEARCHERS]
        curves[acquisition] = curves_of(big_space(), searchers, report)
    return ResultTable(
        title="Strategies and acquisition functions in the big space (paper, Figure 4)",
        columns=("acquisition", "searcher", *_headings(), "p"),
        rows=_rows(curves),
        notes=(
            "ImageNet top-1 in % of the best so far among MnasNet networks, by the surrogate "
            f"(results/surrogate.md). Mean and 95 % interval of {len(SEEDS)} seeds.",
            *_notes(),
        ),
        picture=picture_of(curves, "Strategies by acquisition function"),
    )


def better(ours: np.ndarray, others: np.ndarray) -> str:
    """Return the p-value of a larger area under the curves, `seeds x trials`, paired over seeds."""
    return f"{p_above_zero(ours.mean(1) - others.mean(1)):.3f}"


def curves_of(
    benchmark: Benchmark,
    searchers: Sequence[Searcher],
    report: Callable[[str], None],
    trials: int = TRIALS,
    seeds: Sequence[int] = SEEDS,
) -> dict[Searcher, np.ndarray]:
    """Return the best so far after each of so many trials, `seeds x trials`, of each searcher."""
    runs = {searcher: runs_of(benchmark, searcher, seeds) for searcher in searchers}
    outcomes = run_searches([run for group in runs.values() for run in group], report)
    return {
        searcher: np.array([outcomes[run].best_so_far(trials) for run in group])
        for searcher, group in runs.items()
    }


def _rows(curves: Mapping[str, Curves]) -> tuple[tuple[str, ...], ...]:
    """Return a row for each searcher; strategies are compared with the first of their group."""
    rows = []
    for group, of_searchers in curves.items():
        usual, *_ = of_searchers.values()
        for searcher, runs in of_searchers.items():
            compared = searcher.strategy is not None and runs is not usual
            p = better(usual, runs) if compared else "-"
            rows.append((group, searcher.label, *figures(runs), p))
    return tuple(rows)


def _headings() -> tuple[str, ...]:
    return (*(f"after {trials}" for trials in SHOWN), "area")


def figures(runs: np.ndarray, shown: Sequence[int] = SHOWN) -> tuple[str, ...]:
    """Return mean and 95 % interval after each of the `shown` numbers of trials, and of the area."""
    after = [mean_and_interval(runs[:, at - 1]) for at in shown]
    return (*after, mean_and_interval(runs.mean(1), decimals=3))


def _notes() -> tuple[str, ...]:
    return (
        f"Area: the mean of the curve over {TRIALS} measurements. p: Wilcoxon's signed-rank test, "
        f"paired over seeds, that the area of {STRATEGIES[0]} is not larger; all kinds of candidates "
        "share predictor, warm-up and everything else.",
    )


def picture_of(curves: Mapping[str, Curves], title: str) -> Callable[[Path], None]:
    """Return what draws the curves of each group into a file."""
    panels = {
        name: {
            searcher.label: (runs.mean(0), interval(runs))
            for searcher, runs in of_searchers.items()
        }
        for name, of_searchers in curves.items()
    }
    seeds = {len(runs) for of_searchers in curves.values() for runs in of_searchers.values()}
    return functools.partial(
        plot_curves,
        panels,
        xlabel="measured architectures",
        ylabel="best so far, %",
        title=title,
        caption=f"mean and 95 % interval over {' or '.join(map(str, sorted(seeds)))} seeds",
    )
