"""ImageNet accuracy against what a network costs, judged by a model that the guide has never seen.

Fronts of the library, of NSGA-II on the same predictors, of random draws, and what DyNAS-T measured.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag._confidence import interval
from diffusionnag.generation import Objectives, choose, find_front, hypervolume
from diffusionnag.generation.front import SURVEYED
from diffusionnag.generation.request import read_property
from diffusionnag.report import plot_distributions
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.tables.ofa_benchmark import OFA_BENCHMARK_TABLE, ofa_benchmark
from experiments.guidance.nsga2 import nsga2
from experiments.measured_data import required_table
from experiments.result_table import ResultTable

SPACE, GUIDE, COLUMN = "mobilenetv3", "imagenet_top1", "imagenet_top1@224"
COSTS = (
    *("macs", "peak_memory"),
    *(f"latency:{device}_64" for device in ("2080ti", "titan_rtx", "titan_xp", "v100")),
)
COUNT = 64
SEEDS = range(3)


@dataclass(frozen=True, eq=False)
class Cost:
    """A cost to be lowered beside the accuracy, and how both are judged."""

    space: SearchSpace
    objectives: Objectives
    judge: Callable[[Sequence[Architecture]], np.ndarray]

    def judged(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return accuracy in % by the judge, and the cost standardised and less, `batch x 2`."""
        cost = self.objectives.scores(architectures)[:, 1]
        return np.stack([self.judge(architectures), cost], axis=1)

    def groups(self, seed: int) -> tuple[list[Sequence[Architecture]], int]:
        """Return 64 of the library, of NSGA-II and of random draws, at as many predictions each."""
        space, objectives = self.space, self.objectives
        front = find_front(space, COUNT, objectives, seed=seed)
        predicted = front.details.predicted
        evolved = nsga2(space, objectives, (), seed, 0.0, predicted)
        chosen = choose(evolved.scores, COUNT)
        drawn = space.sample(predicted, seed)
        random = choose(objectives.scores(drawn), COUNT)
        groups = [
            front.architectures,
            space.architectures(evolved.operations[chosen]),
            [drawn[row] for row in random],
        ]
        return groups, predicted


def mobilenetv3_fronts(report: Callable[[str], None]) -> ResultTable:
    """Return judged hypervolumes of accuracy against MACs, peak memory and a latency of each device.

    Raises DiffusionNAGError where the table or Once-for-All's predictor is not installed.
    """
    space, table = get_search_space(SPACE), required_table(SPACE, OFA_BENCHMARK_TABLE)
    judge = ofa_benchmark(space, table, COLUMN)
    measured_rows = np.flatnonzero(np.isfinite(table.column(COLUMN)))
    measured = list(dict.fromkeys(table.architectures[row] for row in measured_rows))
    values = table.lookup(COLUMN, measured)
    architectures = [space.parse(text) for text in measured]
    rows, gained = [], {}
    for name in COSTS:
        properties = (read_property(GUIDE, space), read_property(name, space))
        cost = Cost(space, Objectives(properties, (1.0, -1.0)), judge.predict)
        surveyed = cost.judged(space.sample(SURVEYED, 0)).min(0)
        scores = np.stack([values, cost.objectives.scores(architectures)[:, 1]], axis=1)
        theirs = [architectures[row] for row in choose(scores, COUNT)]
        dynas = hypervolume(cost.judged(theirs), surveyed)
        volumes, predictions = [], []
        for seed in SEEDS:
            report(f"{name}: seed {seed}")
            groups, predicted = cost.groups(seed)
            volumes.append([hypervolume(cost.judged(group), surveyed) for group in groups])
            predictions.append(predicted)
        ours, evolved, random = np.array(volumes).T
        gains = [100 * (ours / other - 1) for other in (evolved, random, dynas)]
        gained[name] = gains[2]
        rows.append(
            (
                name,
                *(f"{group.mean():.2f}" for group in (ours, evolved, random)),
                f"{dynas:.2f}",
                *(f"{gain.mean():+.1f} ± {interval(gain):.1f} %" for gain in gains),
                f"{np.mean(predictions):,.0f}",
            )
        )
    return ResultTable(
        title="ImageNet top-1 of MobileNetV3 networks against what they cost, judged by another model",
        columns=(
            *("cost", "generated", "NSGA-II", "random", "DyNAS-T"),
            *("gain on NSGA-II", "on random", "on DyNAS-T", "predictions"),
        ),
        rows=tuple(rows),
        notes=(
            f"Hypervolume of {COUNT} networks, in points of accuracy times standard deviations of the cost, "
            f"from the worst values of {SURVEYED:,} random draws; means of {len(SEEDS)} seeds, gains with "
            "95 % intervals. Accuracy is judged by Once-for-All's own predictor, calibrated on measured "
            "values; MACs and peak memory are exact, latencies those of the shipped predictors, at 224 "
            "pixels.",
            "Generated, NSGA-II and random have the same predictors and as many predictions (the last "
            f"column); random: the best {COUNT} of so many draws, chosen as ours are.",
            f"DyNAS-T: {COUNT} chosen by measured accuracy and cost from the {len(measured):,} networks that "
            "it measured, most of which the guide has learnt from.",
        ),
        picture=functools.partial(
            plot_distributions,
            gained,
            xlabel="judged hypervolume, % above that of DyNAS-T's measured networks",
            title="Fronts on ImageNet",
        ),
    )
