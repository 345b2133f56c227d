"""Table 2 of the paper, search rows: measurements until the best cell is found."""

from __future__ import annotations

from collections.abc import Callable

from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import (
    CAP,
    DATASETS,
    MODEL_CAP,
    SEARCHERS,
    SEEDS,
    runs_of,
    test_accuracy,
)
from experiments.search.search_runs import median_to_goal, run_searches

PUBLISHED = {"bananas": "46 / 88", "gp-ucb": "58 / not in 100"}
"""The paper's Table 2."""


def table2_search(report: Callable[[str], None]) -> ResultTable:
    """Return the median number of measurements to the best cell, on three data sets."""
    benchmarks = [test_accuracy(dataset) for dataset in DATASETS]
    runs = {
        (searcher, benchmark): runs_of(benchmark, searcher)
        for searcher in SEARCHERS
        for benchmark in benchmarks
    }
    outcomes = run_searches([run for group in runs.values() for run in group], report)
    rows = []
    for searcher in SEARCHERS:
        cap = runs[searcher, benchmarks[0]][0].trials
        counts = [
            median_to_goal(benchmark, [outcomes[run] for run in runs[searcher, benchmark]], cap)
            for benchmark in benchmarks
        ]
        published = PUBLISHED.get(searcher.label, "-")
        rows.append((searcher.label, *counts, published))
    goals = ", ".join(f"{benchmark.goal} % on {benchmark.name}" for benchmark in benchmarks)
    return ResultTable(
        title="Measurements until the best NAS-Bench-201 cell is found (paper, Table 2)",
        columns=("searcher", *DATASETS, "paper, CIFAR-10 / CIFAR-100"),
        rows=tuple(rows),
        notes=(
            f"Median over {len(SEEDS)} seeds, in brackets the lowest and the highest, of the number "
            f"of cells measured (test accuracy after 200 epochs) until the best is: {goals}.",
            f"A search is given up after {CAP} measurements, one that fits a model at each step after "
            f"{MODEL_CAP}. The four kinds of candidates share predictor, acquisition function (EI) "
            "and warm-up; guided ones are generated, the space is not enumerated.",
            "Paper, transferred from other data sets: DiffusionNAG 1 / 2, TNAS 29 / 59.",
        ),
    )
