"""Table 1 of the paper, as far as data allow: thirty networks for a data set never measured before."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.generation import Generator, Sampling, find_best
from diffusionnag.guidance import AnalyticProperty, Bound, Guidance, maximize
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.predictors import prediction_quality
from diffusionnag.spaces import Architecture
from diffusionnag.transfer import MeanOverDatasets
from experiments.result_table import ResultTable
from experiments.search.search_runs import Keyed, propose_until_goal, run_searches
from experiments.statistics import mean_and_interval, p_above_zero
from experiments.transfer.fed_back import TransferSearch
from experiments.transfer.tuned_datasets import TunedDataset, others_than, tuned_datasets

SEEDS = range(10)
COUNT = 30
GENERATED = 500
"""Of so many MetaD2A ranks the best."""
DRAWN = 10_000
"""As many as `transfer` predicts, or nearly."""
JUDGED = ("CIFAR-10", "CIFAR-100, early exit", "SVHN, early exit")


@dataclass(frozen=True, eq=False)
class New:
    """A data set that is new: what others tell of it, what is allowed, and who judges."""

    target: TunedDataset
    known: tuple[TunedDataset, ...]
    accuracy: MeanOverDatasets
    limit: Bound

    @property
    def guide(self) -> Guidance:
        """The transferred accuracy, within the limit."""
        return maximize(self.accuracy) + self.limit

    def judge(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the accuracy of each in %, by the process fitted on the data set's measurements."""
        return self.target.own.predict(architectures)[0]

    def first(self, architectures: Sequence[Architecture]) -> list[Architecture]:
        """Return the thirty of which the transferred accuracy is highest."""
        order = np.argsort(-self.accuracy.normal_score(architectures), kind="stable")
        return [architectures[row] for row in order[:COUNT].tolist()]


@functools.cache
def _new(name: str) -> New:
    datasets = tuned_datasets()
    (target,) = (each for each in datasets if each.name == name)
    known = tuple(each for each in others_than(target, datasets) if each.plain == target.plain)
    macs = AnalyticProperty(target.space, "macs")
    limit = macs <= float(macs.predict(target.architectures)[0].max())
    return New(target, known, MeanOverDatasets([each.predictor for each in known]), limit)


def _transferred(new: New, seed: int) -> list[Architecture]:
    return find_best(new.target.space, COUNT, guide=new.guide, seed=seed).architectures


def _guided(new: New, seed: int) -> list[Architecture]:
    generator = Generator.from_pretrained(new.target.space.name)
    sampling = Sampling(seed=seed)
    samples = generator.sample(GENERATED, guide=new.guide, distinct=True, sampling=sampling)
    return new.first(samples.architectures)


def _unguided(new: New, seed: int) -> list[Architecture]:
    """Return those that keep the limit, of what is generated without a guide."""
    generator = Generator.from_pretrained(new.target.space.name)
    samples = generator.sample(2 * GENERATED, distinct=True, sampling=Sampling(seed=seed))
    return within_limits([new.limit], samples.architectures)[:GENERATED]


def _searched(new: New, seed: int) -> list[Architecture]:
    """Return what the search without a generator measures."""
    measured: list[Architecture] = []

    def measure(architecture: Architecture) -> float:
        measured.append(architecture)
        return float(new.judge([architecture])[0])

    search = TransferSearch([new.accuracy], (new.limit,))
    propose_until_goal(search, measure, lambda value: False, COUNT, seed=seed)
    return measured


OURS = "transfer"
METHODS: Mapping[str, Callable[[New, int], list[Architecture]]] = {
    OURS: _transferred,
    f"transfer --sample, {GENERATED} guided": _guided,
    f"MetaD2A-like, {GENERATED} unguided": lambda new, seed: new.first(_unguided(new, seed)),
    f"best of {DRAWN:,} random": lambda new, seed: new.first(
        within_limits([new.limit], new.target.space.sample(DRAWN, seed))
    ),
    "TNAS-like, fed back": _searched,
    "random": lambda new, seed: _unguided(new, seed)[:COUNT],
}


@dataclass(frozen=True)
class Thirty(Keyed):
    """The networks that a method names for a data set, by a seed."""

    dataset: str
    method: str
    seed: int

    @property
    def title(self) -> str:
        """Return what it is called where progress is shown."""
        return f"{self.dataset}, {self.method}, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return the judged accuracies of the networks, as searched and as reported."""
        new = _new(self.dataset)
        values = new.judge(METHODS[self.method](new, self.seed)).tolist()
        return [values, values]


def table1(report: Callable[[str], None]) -> ResultTable:
    """Return how good thirty networks are that each method names for a data set.

    Raises DiffusionNAGError where a table is not installed.
    """
    runs = {
        (dataset, method): [Thirty(dataset, method, seed) for seed in SEEDS]
        for dataset in JUDGED
        for method in METHODS
    }
    outcomes = run_searches([run for group in runs.values() for run in group], report)
    rows = []
    for (dataset, method), group in runs.items():
        judged = np.array([outcomes[run].reported for run in group])
        ours = np.array([outcomes[run].reported.mean() for run in runs[dataset, OURS]])
        means = judged.mean(1)
        p = "-" if method == OURS else f"{p_above_zero(ours - means):.3f}"
        shown = (judged.max(1), means, judged.min(1))
        rows.append((dataset, method, *map(mean_and_interval, shown), p))
    return ResultTable(
        title=f"{COUNT} MobileNetV3 networks for a data set of which nothing was measured (paper, Table 1)",
        columns=("data set", "method", "max", "mean", "min", "p"),
        rows=tuple(rows),
        notes=(
            f"Accuracy in % of {COUNT} networks, judged by a Gaussian process on that data set's own "
            f"measurements, of which no method knows: means over {len(SEEDS)} seeds with 95 % intervals. p: "
            f"Wilcoxon's signed-rank test, paired over seeds, that the mean of `{OURS}` is not higher.",
            "All share one predictor, the mean over other data sets whose networks were tuned the same way "
            f"(results/dataset-transfer.md). MetaD2A-like: the best {COUNT} of {GENERATED} generated without "
            f"guidance; TNAS-like measures {COUNT} in turn, and learns from each.",
            *(_about(_new(dataset)) for dataset in JUDGED),
        ),
    )


def _about(new: New) -> str:
    """Return from what a data set's networks were predicted and judged, and how well they are judged."""
    target, held_out = new.target, new.target.held_out()
    quality = prediction_quality(held_out.mean, held_out.std, held_out.true)
    return (
        f"{target.name}: learnt from {' and '.join(each.name for each in new.known)}; the judge from "
        f"{len(target.values)} networks of {target.values.min():.1f} to {target.values.max():.1f} %, "
        f"its Spearman on held-out fifths {quality['Spearman']:.2f}, its mean absolute error "
        f"{quality['mean absolute error']:.2f}; all kept {new.limit.describe()} M, the most of these."
    )
