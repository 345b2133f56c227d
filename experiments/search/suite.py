"""A suite of search objectives, half of them to choose by and half to judge by."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from diffusionnag.search.objectives import read_objective
from diffusionnag.spaces import get_search_space
from diffusionnag.tables.nasbench_graph import NAS_BENCH_GRAPH
from experiments.measured_data import required_table
from experiments.result_table import ResultTable
from experiments.search.rank_picture import plot_ranks
from experiments.search.search_runs import Benchmark, Outcome, Run, Searcher, run_searches
from experiments.statistics import p_above_zero

DRAWN_BY = 22
"""The seed that draws the halves, fixed before any of them was searched."""
SHOWN = (10, 20, 40)
ADDED, ADDED_SHOWN = ("nasbench_macro", "gpt2"), (10, 20, 40, 80)
"""Spaces of objectives that joined the suite later, which can be shown alone, and for longer."""
SEEDS, NOISY_SEEDS = range(30), range(20)
NOISE = 0.25
"""Deviation of the noise of noisy objectives, in interquartile ranges of the true values."""
LEVEL = 0.05
"""Below this p the library's own search counts as behind."""
SAMPLED = 2_000
"""Uniform draws that stand for the values of a space without a table of them all."""

ACCURACY, ROBUSTNESS = "table:nasbench201_accuracy", "table:nasbench201_robustness_cifar10"
TRANSNAS = "table:transnas_micro"
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "nasbench201": (
        *(f"{ACCURACY}:{dataset}_test_200ep" for dataset in ("cifar10", "cifar100", "imagenet16")),
        *(f"{ACCURACY}:{dataset}_valid_12ep" for dataset in ("cifar10", "cifar100", "imagenet16")),
        f"{ROBUSTNESS}:robustness:pgd_1",
        f"{ROBUSTNESS}:robustness:corruptions_mean",
    ),
    "nasbench_graph": tuple(
        f"table:{NAS_BENCH_GRAPH}:{dataset}_validation"
        for dataset in (
            *("cora", "citeseer", "pubmed", "cs"),
            *("physics", "photo", "computers", "arxiv"),
        )
    ),
    "transnas": tuple(
        f"{TRANSNAS}:{task}"
        for task in (
            *("class_scene", "class_object", "autoencoder", "normal"),
            *("jigsaw", "room_layout", "segmentsemantic"),
        )
    ),
    "big": (
        "surrogate:mnasnet_imagenet:imagenet_top1",
        "surrogate:mobilenetv3_ofa:imagenet_top1@224",
    ),
    "nasbench_macro": ("table:nasbench_macro:cifar10_test",),
    "gpt2": ("surrogate:hwgpt_s:accuracy",),
}
"""The objectives of each family; those of the big spaces name their space by the surrogate."""
SEARCHERS = tuple(
    Searcher(name) for name in ("diffusionnag", "random", "rea", "local-search", "tpe", "nas-bowl")
)
RIVALS = tuple(Searcher(name) for name in ("rea", "tpe", "nas-bowl"))
"""Those that the library's own search must not fall behind."""


def halves() -> tuple[list[Benchmark], list[Benchmark]]:
    """Return the objectives to choose by and those to judge by."""
    rng = np.random.default_rng(DRAWN_BY)
    choosing, judging = list[Benchmark](), list[Benchmark]()
    for family, texts in FAMILIES.items():
        order = rng.permutation(len(texts))
        for half, rows in (
            (choosing, order[: len(texts) // 2]),
            (judging, order[len(texts) // 2 :]),
        ):
            half += [_clean(family, texts[row]) for row in sorted(rows)]
    return choosing, judging


def _clean(family: str, text: str) -> Benchmark:
    _, table, column = text.split(":", 2)
    space = table.split("_")[0] if family == "big" else family
    return Benchmark(f"{space} {column.removeprefix('robustness:')}", space, text, text, SHOWN[-1])


def with_noise(benchmarks: Sequence[Benchmark]) -> list[Benchmark]:
    """Return the objectives with noise on what a searcher sees; the truth is reported."""
    return [
        replace(clean, name=f"{clean.name}, noisy", noise=NOISE * Scale.of(clean).quartiles)
        for clean in benchmarks
    ]


@dataclass(frozen=True)
class Scale:
    """How an objective's true values spread over the space, in its unit."""

    best: float
    median: float
    quartiles: float

    @classmethod
    def of(cls, benchmark: Benchmark) -> Scale:
        """Return the scale of all values in a table, or of uniform draws where a surrogate gives them."""
        return _scale(benchmark.space, benchmark.reported)

    def regret(self, value: np.ndarray, best: float) -> np.ndarray:
        """Return what is missing to the best that is known, 0, in distances of the median from it."""
        return (max(best, self.best) - value) / (max(best, self.best) - self.median)


@functools.cache
def _scale(space_name: str, text: str) -> Scale:
    space = get_search_space(space_name)
    if text.startswith("table:"):
        _, table, column = text.split(":", 2)
        values = required_table(space_name, table).column(column)
    else:
        measure = read_objective(text, space)
        values = np.array([measure(each) for each in space.sample(SAMPLED, 0)], dtype=np.float64)
    lower, median, upper = np.nanquantile(values, [0.25, 0.5, 0.75])
    return Scale(float(np.nanmax(values)), float(median), float(upper - lower))


def suite(report: Callable[[str], None]) -> ResultTable:
    """Return the regrets and ranks of all searchers on the objectives that nothing was chosen by."""
    return judged(halves()[1], "the judging half", report, SEEDS)


def suite_added(report: Callable[[str], None]) -> ResultTable:
    """Return the same on the objectives that joined the judging half later, and after 80 as well."""
    added = [benchmark for benchmark in halves()[1] if benchmark.space in ADDED]
    return judged(added, "what the judging half has gained", report, SEEDS, ADDED_SHOWN)


def suite_noisy(report: Callable[[str], None]) -> ResultTable:
    """Return the same where what is measured is noisy."""
    noisy = with_noise(halves()[1])
    return judged(noisy, "the judging half with noise", report, NOISY_SEEDS)


def suite_choosing(report: Callable[[str], None]) -> ResultTable:
    """Return the same on the other half, clean and noisy, which the library's own search may be chosen by."""
    choosing = halves()[0]
    return judged([*choosing, *with_noise(choosing)], "the choosing half", report, SEEDS)


def judged(
    benchmarks: Sequence[Benchmark],
    half: str,
    report: Callable[[str], None],
    seeds: Sequence[int],
    shown: Sequence[int] = SHOWN,
) -> ResultTable:
    """Return regrets and ranks of the searchers on some objectives, after the numbers `shown`."""
    runs = {
        (benchmark, searcher): [Run(benchmark, searcher, seed, shown[-1]) for seed in seeds]
        for benchmark in benchmarks
        for searcher in SEARCHERS
    }
    # Seed by seed, so that one that is stopped has as many of each.
    searches = sorted((run for group in runs.values() for run in group), key=lambda run: run.seed)
    outcomes = run_searches(searches, report)
    regrets = np.array(
        [
            _regrets(
                benchmark,
                [[outcomes[run] for run in runs[benchmark, each]] for each in SEARCHERS],
                shown,
            )
            for benchmark in benchmarks
        ]
    )
    means = regrets.mean(2)
    ranks = stats.rankdata(means, axis=1)
    rows = [_row(benchmark.name, mean) for benchmark, mean in zip(benchmarks, means, strict=True)]
    rows.append(_row("mean", means.mean(0)))
    average = ranks.mean(0)
    rows.append(("average rank", *(" / ".join(f"{rank:.2f}" for rank in each) for each in average)))
    comparisons = _comparisons(benchmarks, regrets[..., -1])
    return ResultTable(
        title=f"Searchers on a suite of objectives: {half}",
        columns=("objective", *(searcher.label for searcher in SEARCHERS)),
        rows=tuple(rows),
        notes=(
            "Regret, in % of the distance from the space's median to its best (of surrogates: the "
            f"best that any of them found), after {' / '.join(map(str, shown))} measurements: means "
            f"of {len(seeds)} seeds.",
            *_about_noise(benchmarks),
            f"The halves were drawn by seed {DRAWN_BY} within each family of objectives, before any "
            "was searched; of a family of one it judges.",
            "Objectives on which the library's own search is behind one of "
            f"{', '.join(rival.label for rival in RIVALS)} after {shown[-1]} (Wilcoxon's signed-rank "
            f"test, paired over seeds, p < {LEVEL} with Holm's correction): "
            f"{', '.join(_rejected(comparisons)) or 'none'}; without the correction: "
            f"{', '.join(name for p, name in comparisons if p < LEVEL) or 'none'}. Of {len(seeds)} "
            f"seeds p is {0.5 ** len(seeds):.1g} at least, in {len(comparisons)} comparisons.",
        ),
        picture=functools.partial(
            plot_ranks,
            {searcher.label: average[row] for row, searcher in enumerate(SEARCHERS)},
            shown,
            len(benchmarks),
        ),
    )


def _about_noise(benchmarks: Sequence[Benchmark]) -> tuple[str, ...]:
    if not any(benchmark.noise for benchmark in benchmarks):
        return ()
    return (
        "Where values are noisy, the regret is of the true value of the highest measured one. The "
        f"noise has {NOISE} interquartile ranges of the true values; an architecture keeps its own.",
    )


def _regrets(
    benchmark: Benchmark, outcomes: Sequence[Sequence[Outcome]], shown: Sequence[int]
) -> np.ndarray:
    """Return the regrets, `searchers x seeds x shown`."""
    curves = np.array([[each.best_so_far(shown[-1]) for each in group] for group in outcomes])
    return Scale.of(benchmark).regret(
        curves[..., np.array(shown) - 1],
        max(each.reported.max() for group in outcomes for each in group),
    )


def _row(name: str, regrets: np.ndarray) -> tuple[str, ...]:
    return (name, *(" / ".join(f"{100 * value:.1f}" for value in each) for each in regrets))


def _comparisons(benchmarks: Sequence[Benchmark], last: np.ndarray) -> list[tuple[float, str]]:
    """Return p that a rival's regrets, `objectives x searchers x seeds`, are not lower, least first."""
    comparisons = []
    for row, benchmark in enumerate(benchmarks):
        for rival in RIVALS:
            difference = last[row, 0] - last[row, SEARCHERS.index(rival)]
            comparisons.append((p_above_zero(difference), f"{benchmark.name} ({rival.label})"))
    return sorted(comparisons)


def _rejected(comparisons: Sequence[tuple[float, str]]) -> Iterator[str]:
    """Yield the names of comparisons, least p first, that remain with Holm's correction."""
    for place, (p, name) in enumerate(comparisons):
        if p * (len(comparisons) - place) >= LEVEL:
            return
        yield name
