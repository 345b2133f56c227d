"""Searches that start from training-free proxies, good, useless and inverted ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from experiments.measured_data import required_table
from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import (
    DATASETS,
    big_space,
    biggest_space,
    test_accuracy,
)
from experiments.search.search_curves import better, curves_of, figures
from experiments.search.search_runs import (
    Benchmark,
    Outcome,
    Run,
    Searcher,
    median_and_range,
    median_to_goal,
    run_searches,
)
from experiments.statistics import p_not_zero

SEEDS, FEWER_SEEDS = range(30), range(15)
IMAGENET_SEEDS = range(10)
CAP = 50
"""When a search for the best cell is given up."""
TOP = 0.99
NOTHING, PROXIES = "nothing", "proxies"
GENERATED = "guided"
"""Candidates that are generated, none of them mutated."""
SEARCHERS = {
    NOTHING: (Searcher("diffusionnag", GENERATED), SEEDS),
    PROXIES: (Searcher("diffusionnag", GENERATED, start_from="proxies"), SEEDS),
    "a useless proxy": (Searcher("diffusionnag", GENERATED, start_from="useless"), FEWER_SEEDS),
    "inverted proxies": (Searcher("diffusionnag", GENERATED, start_from="inverted"), FEWER_SEEDS),
}
CHEAP = "mutation+random"
"""Candidates that take less time than generated ones."""
EARLY = 20
SHOWN = (3, 5, 10, EARLY)


def start_from(report: Callable[[str], None]) -> ResultTable:
    """Return the measurements to the best cell and to the best 1 % by what a search starts from."""
    benchmarks = [test_accuracy(dataset) for dataset in DATASETS]
    runs = {
        (benchmark, name): [Run(benchmark, searcher, seed, CAP) for seed in seeds]
        for benchmark in benchmarks
        for name, (searcher, seeds) in SEARCHERS.items()
    }
    # What has many seeds comes first, in their order, so that one that is stopped has some of each.
    searches = sorted(
        (run for group in runs.values() for run in group),
        key=lambda run: (run.searcher.start_from not in (None, PROXIES), run.seed),
    )
    outcomes = run_searches(searches, report)
    rows = []
    for (benchmark, name), group in runs.items():
        of_seeds = [outcomes[run] for run in group]
        top = _to_top(benchmark, of_seeds)
        others = [outcomes[run] for run in runs[benchmark, NOTHING]]
        rows.append(
            (
                benchmark.name,
                f"{name}, {len(group)} seeds",
                median_to_goal(benchmark, of_seeds, CAP),
                median_and_range(top, CAP),
                "-" if name == NOTHING else _compared(top, _to_top(benchmark, others)),
            )
        )
    return ResultTable(
        title="Searches that start from training-free proxies, NAS-Bench-201",
        columns=(
            *("data set", "starts from", "measurements to the best cell", "to the best 1 %"),
            "beyond nothing's",
        ),
        rows=tuple(rows),
        notes=(
            "Test accuracy after 200 epochs; median over seeds, in brackets the lowest and the highest. "
            f"Candidates are {GENERATED}, none mutated. A search is given up after {CAP} measurements.",
            "Beyond nothing's: by how much the mean number of measurements to the best 1 % is above that "
            f"of searches that start from nothing, over the seeds that both have, {CAP} where it is not "
            "reached; p: "
            "Wilcoxon's signed-rank test of both signs.",
            "Proxies: the shipped predictor `proxies`, which learnt from untrained networks on "
            "CIFAR-10's training images, for all three data sets; inverted: the same with the "
            "opposite sign. Useless: a random function, as smooth over cells as the surrogate "
            "expects of accuracies, another one for each seed.",
        ),
    )


def start_from_imagenet(report: Callable[[str], None]) -> ResultTable:
    """Return the best so far of searches of the mobile spaces that start from proxies, or nothing."""
    rows = []
    searchers = [Searcher("diffusionnag", CHEAP, start_from=start) for start in (None, PROXIES)]
    for whole in (biggest_space(), big_space()):
        benchmark = replace(whole, trials=EARLY)
        curves = curves_of(benchmark, searchers, report, EARLY, IMAGENET_SEEDS)
        plain, informed = (curves[searcher] for searcher in searchers)
        rows.append((benchmark.name, NOTHING, *figures(plain, SHOWN), "-"))
        rows.append((benchmark.name, PROXIES, *figures(informed, SHOWN), better(informed, plain)))
    return ResultTable(
        title="Searches that start from training-free proxies, MobileNetV3 and MnasNet",
        columns=(
            *("search", "starts from", *(f"after {trials}" for trials in SHOWN)),
            *("area", "p"),
        ),
        rows=tuple(rows),
        notes=(
            "ImageNet top-1 in % of the best so far, by the surrogates of both spaces. Mean and 95 % "
            f"interval of {len(IMAGENET_SEEDS)} seeds. Area: the mean of the curve over {EARLY} "
            "measurements. p: Wilcoxon's signed-rank test, paired over seeds, that it is not larger "
            f"with proxies. Candidates are {CHEAP} ones, which take less time than generated "
            "ones; what proxies hold best is generated all the same.",
            "Proxies: predictors that learnt from untrained networks on ImageNet images of 64 pixels "
            "(experiment `shipped-proxies`).",
        ),
    )


def _compared(counts: list[float], others: list[float]) -> str:
    """Return how much higher the mean of counts is than that of others, in %, and the p-value.

    Of the seeds that both have.
    """
    both = min(len(counts), len(others))
    ours, theirs = (np.minimum(each[:both], CAP) for each in (counts, others))
    more = 100 * (ours.mean() / theirs.mean() - 1)
    return f"{more:+.0f} % (p = {p_not_zero(ours - theirs):.3f})"


def _to_top(benchmark: Benchmark, outcomes: list[Outcome]) -> list[float]:
    """Return the measurements until one is among the best 1 % of the table, infinite where none is."""
    _, table, column = benchmark.searched.split(":")
    threshold = np.quantile(required_table(benchmark.space, table).column(column), TOP)
    counts = []
    for outcome in outcomes:
        reached = np.flatnonzero(outcome.searched >= threshold)
        counts.append(float(reached[0] + 1) if reached.size else np.inf)
    return counts
