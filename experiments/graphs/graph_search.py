"""Search of graph networks: measurements until one of the best is found, on eight datasets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffusionnag.spaces import get_search_space
from diffusionnag.tables.nasbench_graph import COMPLETE_DATASETS, NAS_BENCH_GRAPH
from experiments.result_table import ResultTable
from experiments.search.search_runs import (
    Benchmark,
    Run,
    Searcher,
    median_to_goal,
    run_searches,
)
from experiments.statistics import mean_and_std

SPACE = "nasbench_graph"
GOALS = 26
"""The top 0.1 % of the space."""
SEEDS = tuple(range(10))
CAP = 150
SEARCHERS = {
    Searcher("diffusionnag"): CAP,
    Searcher("diffusionnag", "mutation+random"): CAP,
    Searcher("tpe"): 2 * CAP,
    Searcher("rea"): 10 * CAP,
}
"""Who searches, and after how many measurements one is given up."""
COMPARED_AT = 50
"""So many measurements before the test accuracies of what was found are compared."""


def graph_benchmark(dataset: str) -> Benchmark:
    """Return the search for high validation accuracy, of which test accuracy is reported."""
    searched, reported = (
        f"table:{NAS_BENCH_GRAPH}:{dataset}{kind}" for kind in ("_validation", "")
    )
    return Benchmark(dataset, SPACE, searched, reported, max(SEARCHERS.values()), 6, GOALS)


def graph_search(report: Callable[[str], None]) -> ResultTable:
    """Return the median number of measurements to the top 0.1 %, for each searcher.

    Raises DiffusionNAGError where nas-bench-graph is not installed.
    """
    benchmarks = [graph_benchmark(dataset) for dataset in COMPLETE_DATASETS]
    runs = {
        (benchmark, searcher): [Run(benchmark, searcher, seed, cap) for seed in SEEDS]
        for benchmark in benchmarks
        for searcher, cap in SEARCHERS.items()
    }
    outcomes_of = run_searches([run for group in runs.values() for run in group], report)
    rows = []
    for benchmark in benchmarks:
        counts, accuracies = [], []
        for searcher, cap in SEARCHERS.items():
            outcomes = [outcomes_of[run] for run in runs[benchmark, searcher]]
            counts.append(median_to_goal(benchmark, outcomes, cap))
            tested = [outcome.best_so_far(COMPARED_AT)[-1] for outcome in outcomes]
            accuracies.append(mean_and_std(tested))
        rows.append((benchmark.name, *counts, *accuracies))
    names = [searcher.label for searcher in SEARCHERS]
    return ResultTable(
        title="Measurements until one of the best 0.1 % of graph networks is found",
        columns=("dataset", *names, *(f"{name}, test %" for name in names)),
        rows=tuple(rows),
        notes=(
            f"Validation accuracy is searched. Median over {len(SEEDS)} seeds, in brackets the "
            f"lowest and the highest, of the networks measured until one of the {GOALS} with the "
            "highest is. A search is given up after "
            f"{', '.join(f'{cap:,} ({searcher.label})' for searcher, cap in SEARCHERS.items())}. The "
            f"median of uniform draws would be {median_of_draws(get_search_space(SPACE).size)}.",
            f"Test %: test accuracy, mean and std, of the network with the highest validation "
            f"accuracy among the first {COMPARED_AT} (or fewer, where the search had ended).",
            "diffusionnag generates its candidates, guided by what it has measured; mutation+random "
            "candidates are scored by the same predictor and acquisition function.",
        ),
    )


def median_of_draws(size: int) -> int:
    """Return after how many different ones of a space one of the goals has come with even chance."""
    missed = np.cumprod(1 - GOALS / np.arange(size, GOALS, -1))
    return int(np.argmax(missed <= 0.5)) + 1
