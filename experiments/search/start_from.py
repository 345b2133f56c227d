"""Searches that start from training-free proxies, good, useless and inverted ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments.measured_data import required_table
from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import DATASETS, test_accuracy
from experiments.search.search_runs import (
    Benchmark,
    Outcome,
    Run,
    Searcher,
    median_and_range,
    median_to_goal,
    run_searches,
)

SEEDS = range(8)
CAP = 50
"""When a search for the best cell is given up."""
TOP = 0.99
SEARCHERS = {
    name: Searcher("diffusionnag", start_from=start)
    for name, start in (
        ("nothing", None),
        ("proxies", "proxies"),
        ("a useless proxy", "useless"),
        ("inverted proxies", "inverted"),
    )
}


def start_from(report: Callable[[str], None]) -> ResultTable:
    """Return the measurements to the best cell and to the best 1 % by what a search starts from."""
    benchmarks = [test_accuracy(dataset) for dataset in DATASETS]
    runs = {
        (benchmark, name): [Run(benchmark, searcher, seed, CAP) for seed in SEEDS]
        for benchmark in benchmarks
        for name, searcher in SEARCHERS.items()
    }
    by_seed = zip(*runs.values(), strict=True)
    outcomes = run_searches([run for of_seed in by_seed for run in of_seed], report)
    rows = []
    for (benchmark, name), group in runs.items():
        of_seeds = [outcomes[run] for run in group]
        rows.append(
            (
                benchmark.name,
                name,
                median_to_goal(benchmark, of_seeds, CAP),
                median_and_range(_to_top(benchmark, of_seeds), CAP),
            )
        )
    return ResultTable(
        title="Searches that start from training-free proxies, NAS-Bench-201",
        columns=("data set", "starts from", "measurements to the best cell", "to the best 1 %"),
        rows=tuple(rows),
        notes=(
            f"Test accuracy after 200 epochs; median over {len(SEEDS)} seeds, few for differences of a "
            "third, in brackets the lowest and the highest. A search is given up after "
            f"{CAP} measurements.",
            "Proxies: the shipped predictor `proxies`, which learnt from untrained networks on "
            "CIFAR-10's training images, for all three data sets; inverted: the same with the "
            "opposite sign. Useless: a random function, as smooth over cells as the surrogate "
            "expects of accuracies, another one for each seed.",
        ),
    )


def _to_top(benchmark: Benchmark, outcomes: list[Outcome]) -> list[float]:
    """Return the measurements until one is among the best 1 % of the table, infinite where none is."""
    _, table, column = benchmark.searched.split(":")
    threshold = np.quantile(required_table(benchmark.space, table).column(column), TOP)
    counts = []
    for outcome in outcomes:
        reached = np.flatnonzero(outcome.searched >= threshold)
        counts.append(float(reached[0] + 1) if reached.size else np.inf)
    return counts
