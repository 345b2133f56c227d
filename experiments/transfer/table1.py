"""Table 1 of the paper, as far as data allow: thirty networks for a data set never measured before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag._confidence import interval
from diffusionnag.generation import Generator, Sampling, find_best
from diffusionnag.guidance import AnalyticProperty, Bound, maximize
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.predictors import prediction_quality
from diffusionnag.spaces import Architecture
from diffusionnag.transfer import MeanOverDatasets
from experiments.result_table import ResultTable
from experiments.search.search_curves import p_above_zero
from experiments.search.search_runs import propose_until_goal
from experiments.transfer.fed_back import TransferSearch
from experiments.transfer.tuned_datasets import TunedDataset, others_than, tuned_datasets

SEEDS = range(10)
COUNT = 30
GENERATED = 500
"""Of so many MetaD2A ranks the best."""
DRAWN = 10_000
"""As many as `transfer` predicts, or nearly."""
JUDGED = ("CIFAR-10", "CIFAR-100, early exit", "SVHN, early exit")
OURS = "transfer"


@dataclass(frozen=True, eq=False)
class New:
    """A data set that is new: what others tell of it, what is allowed, and who judges."""

    target: TunedDataset
    accuracy: MeanOverDatasets
    limit: Bound
    generator: Generator

    def judge(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the accuracy of each in %, by the process fitted on the data set's measurements."""
        return self.target.own.predict(architectures)[0]

    def groups(self, seed: int) -> dict[str, list[Architecture]]:
        """Return thirty networks by each method."""
        space, sampling = self.target.space, Sampling(seed=seed)
        guide = maximize(self.accuracy) + self.limit
        guided = self.generator.sample(GENERATED, guide=guide, distinct=True, sampling=sampling)
        free = self.generator.sample(2 * GENERATED, distinct=True, sampling=sampling)
        allowed = within_limits([self.limit], free.architectures)[:GENERATED]
        return {
            OURS: find_best(space, COUNT, guide=guide, seed=seed).architectures,
            f"transfer --sample, {GENERATED} guided": self._first(guided.architectures),
            f"MetaD2A-like, {GENERATED} unguided": self._first(allowed),
            f"best of {DRAWN:,} random": self._first(
                within_limits([self.limit], space.sample(DRAWN, seed))
            ),
            "TNAS-like, fed back": self._searched(seed),
            "random": allowed[:COUNT],
        }

    def _first(self, architectures: Sequence[Architecture]) -> list[Architecture]:
        order = np.argsort(-self.accuracy.normal_score(architectures), kind="stable")
        return [architectures[row] for row in order[:COUNT].tolist()]

    def _searched(self, seed: int) -> list[Architecture]:
        """Return what the search without a generator measures."""
        measured: list[Architecture] = []

        def measure(architecture: Architecture) -> float:
            measured.append(architecture)
            return float(self.judge([architecture])[0])

        search = TransferSearch((self.accuracy,), (self.limit,))
        propose_until_goal(search, measure, lambda value: False, COUNT, seed=seed)
        return measured


def table1(report: Callable[[str], None]) -> ResultTable:
    """Return how good thirty networks are that each method names for a data set.

    Raises DiffusionNAGError where a table is not installed.
    """
    datasets = tuned_datasets()
    generator = Generator.from_pretrained(datasets[0].space.name)
    rows, notes = [], []
    for target in datasets:
        if target.name not in JUDGED:
            continue
        known = [each for each in others_than(target, datasets) if each.plain == target.plain]
        macs = AnalyticProperty(target.space, "macs")
        limit = macs <= float(macs.predict(target.architectures)[0].max())
        accuracy = MeanOverDatasets([each.predictor for each in known])
        new = New(target, accuracy, limit, generator)
        values: dict[str, list[np.ndarray]] = {}
        for seed in SEEDS:
            report(f"{target.name}: seed {seed}")
            for name, group in new.groups(seed).items():
                values.setdefault(name, []).append(new.judge(group))
        ours = np.array(values[OURS]).mean(1)
        for name, of_seeds in values.items():
            judged = np.array(of_seeds)
            means = judged.mean(1)
            p = "-" if name == OURS else f"{p_above_zero(ours - means):.3f}"
            shown = (judged.max(1), means, judged.min(1))
            rows.append((target.name, name, *map(_with_interval, shown), p))
        held_out = target.held_out()
        quality = prediction_quality(held_out.mean, held_out.std, held_out.true)
        notes.append(
            f"{target.name}: learnt from {' and '.join(each.name for each in known)}; the judge from "
            f"{len(target.values)} networks of {target.values.min():.1f} to {target.values.max():.1f} %, "
            f"its Spearman on held-out fifths {quality['Spearman']:.2f}, its mean absolute error "
            f"{quality['mean absolute error']:.2f}; all kept {limit.describe()} M, the most of these."
        )
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
            *notes,
        ),
    )


def _with_interval(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {interval(values[:, None])[0]:.2f}"
