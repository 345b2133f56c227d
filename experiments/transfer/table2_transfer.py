"""Table 2 of the paper, transfer rows: the best cells for data sets of which no accuracy is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from diffusionnag._confidence import interval
from diffusionnag.generation.derivative_free import sample_derivative_free
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Guidance, maximize
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.guidance.terms import Sum, merit
from diffusionnag.search.objectives import Measure, read_objective
from diffusionnag.spaces import Architecture, SearchSpace
from experiments.measured_data import NASBENCH201_DATASETS, Truth, required_table
from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import test_accuracy
from experiments.search.search_runs import Benchmark, Outcome, median_to_goal, run_searches
from experiments.transfer.fed_back import (
    BOTH,
    CAP,
    DRAWN,
    IMAGES,
    PROXIES,
    TNAS,
    FedBack,
    known_of,
)
from experiments.transfer.known_by_images import IMAGENET16_CLASSES, SPACE, transfer_to

SEEDS = tuple(range(30))
FEWER_SEEDS, FEWEST_SEEDS = SEEDS[:10], SEEDS[:5]
GENERATING_SEEDS = SEEDS[:3]
"""Of what is measured in the order of predictions, which differs little."""
SEARCHERS = {
    (TNAS, BOTH): FEWEST_SEEDS,
    ("DiffusionNAG", IMAGES): FEWER_SEEDS,
    ("DiffusionNAG", BOTH): SEEDS,
}
LAST = 1_000
"""When measuring in the order of predictions is given up."""
GENERATED = 1_000
UNCONDITIONAL = (500, 10_000)
"""Between these MetaD2A generates, to rank by its predictor."""
SHOWN = (1, 5, 30)


def table2_transfer(report: Callable[[str], None]) -> ResultTable:
    """Return the true accuracies of what is predicted to be best, and measurements to the best.

    Raises DiffusionNAGError where the accuracies or the images are not installed.
    """
    generator = Generator.from_pretrained(SPACE)
    space = generator.search_space
    runs = {
        (dataset, method, knowledge): [FedBack(dataset, method, knowledge, seed) for seed in seeds]
        for dataset in NASBENCH201_DATASETS
        for (method, knowledge), seeds in SEARCHERS.items()
    }
    # In the order of seeds, so that one that is stopped has some of each.
    searches = sorted((run for group in runs.values() for run in group), key=lambda run: run.seed)
    searched = run_searches(searches, report)
    rows, notes = [], []
    for dataset, column in NASBENCH201_DATASETS.items():
        truth = Truth.of(required_table(SPACE, "nasbench201_accuracy"), column)
        benchmark = test_accuracy(dataset)
        measure = read_objective(benchmark.searched, space)
        guided = {
            knowledge: _guided(generator, dataset, knowledge, report)
            for knowledge in (IMAGES, PROXIES, BOTH)
        }
        orders = _unguided(generator, dataset, report) | {
            f"DiffusionNAG, {knowledge}": group for knowledge, group in guided.items()
        }
        for name, of_seeds in orders.items():
            outcomes = [_measure_in_order(order[:LAST], measure, benchmark) for order in of_seeds]
            rows.append((dataset, name, *_figures(benchmark, outcomes, LAST)))
        for (method, knowledge), seeds in SEARCHERS.items():
            outcomes = [searched[run] for run in runs[dataset, method, knowledge]]
            label = f"{method}, {knowledge}, each of {len(seeds)} seeds fed back"
            rows.append((dataset, label, *_figures(benchmark, outcomes, CAP)))
        notes += [
            f"{dataset}, {knowledge}: {_quality(truth, space, group)}"
            for knowledge, group in guided.items()
        ]
    return ResultTable(
        title="Architectures for data sets known by images alone (paper, Table 2)",
        columns=(
            *("data set", "method"),
            *(f"best of the first {count}, %" for count in SHOWN),
            "measurements until the best cell",
        ),
        rows=tuple(rows),
        notes=(
            "Test accuracy after 200 epochs of NAS-Bench-201 cells. Images: the predictor that learnt "
            "from the meta-data set of MetaD2A looks at each data set's own images, and has seen no "
            f"accuracy of it; {_looked_at()}. Its order of cells is the same for all three. Proxies: "
            "the shipped predictor, from untrained networks and CIFAR-10's images. Both: the sum of "
            "the two, each with deviation 1 over the space, as `transfer` and `search --data` have it.",
            f"Over {len(GENERATING_SEEDS)} seeds where nothing is fed back: mean with 95 % interval of "
            "the best of what is measured first; median, in brackets the lowest and the highest, of "
            f"the measurements until the best cell. Given up after {CAP} where measurements are fed "
            f"back, after {LAST:,} or the last one generated where they are not.",
            "MetaD2A-like: so many generated without guidance, ranked by both; EDNAG-like: "
            f"{GENERATED:,} generated with both as fitness, without their gradient; TNAS-like: no "
            f"generation, a Gaussian process on the predictions, {DRAWN:,} random candidates; "
            "DiffusionNAG fed back: `search --data`, with `--start-from nasbench201` where it is "
            "images alone.",
            *notes,
            "Paper: DiffusionNAG 1 / 2 measurements on CIFAR-10 / CIFAR-100, TNAS 29 / 59, MetaD2A "
            "94.37 / 73.34 % with 100; 1,000 generated for CIFAR-10 had mean 93.13, min 86.44.",
        ),
    )


def _looked_at() -> str:
    """Return how many images of how many classes were looked at of each data set."""
    parts = []
    for dataset in NASBENCH201_DATASETS:
        _, encoding = transfer_to(dataset)
        images, classes = int(encoding.present.sum()), len(encoding.labels)
        parts.append(f"{dataset}: {images:,} images of {classes} classes")
    return "; ".join(parts) + f" (of the {IMAGENET16_CLASSES} those at hand, one or more of each)"


def _guide(dataset: str, knowledge: str) -> Guidance:
    return Sum(tuple(map(maximize, known_of(dataset, knowledge))))


def _guided(
    generator: Generator, dataset: str, knowledge: str, report: Callable[[str], None]
) -> list[list[Architecture]]:
    """Return what is generated under guidance, best predicted first, for each seed."""
    guide, groups = _guide(dataset, knowledge), []
    for seed in GENERATING_SEEDS:
        report(f"{dataset}: generating, {knowledge}, seed {seed}")
        samples = generator.sample(
            GENERATED, guide=guide, distinct=True, sampling=Sampling(seed=seed)
        )
        groups.append(_best_first(guide, generator.search_space, samples.architectures))
    return groups


def _unguided(
    generator: Generator, dataset: str, report: Callable[[str], None]
) -> dict[str, list[list[Architecture]]]:
    """Return what methods without guidance measure in order, for each seed."""
    guide, space = _guide(dataset, BOTH), generator.search_space

    def fitness(architectures: Sequence[Architecture]) -> list[float]:
        return (merit(guide, space, architectures) / GUIDANCE_SCALE).tolist()

    orders: dict[str, list[list[Architecture]]] = {}
    for seed in GENERATING_SEEDS:
        report(f"{dataset}: generating without guidance, seed {seed}")
        sampling = Sampling(seed=seed)
        drawn = generator.sample(UNCONDITIONAL[-1], sampling=sampling).architectures
        evolved = sample_derivative_free(generator, GENERATED, fitness, sampling=sampling)
        groups = {f"MetaD2A-like, {count:,}": drawn[:count] for count in UNCONDITIONAL}
        for name, group in (groups | {"EDNAG-like": evolved.architectures}).items():
            orders.setdefault(name, []).append(_best_first(guide, space, group))
    return orders


def _best_first(
    guide: Guidance, space: SearchSpace, architectures: Iterable[Architecture]
) -> list[Architecture]:
    distinct = list(dict.fromkeys(architectures))
    order = np.argsort(-merit(guide, space, distinct), kind="stable")
    return [distinct[row] for row in order]


def _measure_in_order(
    architectures: Sequence[Architecture], measure: Measure, benchmark: Benchmark
) -> Outcome:
    values: list[float] = []
    for architecture in architectures:
        values.append(float(measure(architecture)))  # type: ignore[arg-type]
        if benchmark.is_goal(values[-1]):
            break
    return Outcome(np.array(values), np.array(values))


def _figures(benchmark: Benchmark, outcomes: Sequence[Outcome], cap: int) -> tuple[str, ...]:
    curves = np.array([outcome.best_so_far(SHOWN[-1]) for outcome in outcomes])
    best = curves[:, np.array(SHOWN) - 1]
    halves = interval(best)
    shown = (f"{mean:.2f} ± {half:.2f}" for mean, half in zip(best.mean(0), halves, strict=True))
    return (*shown, median_to_goal(benchmark, outcomes, cap))


def _quality(truth: Truth, space: SearchSpace, groups: Sequence[Sequence[Architecture]]) -> str:
    """Return how good the guided ones of all seeds truly are."""
    values = [truth.values(space, group) for group in groups]
    means, closed = (
        np.array([figure(group) for group in values]) for figure in (np.mean, truth.closed)
    )
    return (
        f"{GENERATED:,} distinct generated have mean {means.mean():.2f} ± {interval(means):.2f}, max "
        f"{max(map(np.max, values)):.2f}, min {min(map(np.min, values)):.2f}; {closed.mean():.1f} % of "
        f"the gap between random and the best {GENERATED:,}, whose mean is {truth.oracle:.2f}."
    )
