"""Fronts of two and three properties against NSGA-II on the same predictors, in the same time."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diffusionnag._confidence import interval
from diffusionnag.generation import Objectives, choose, find_front, hypervolume
from diffusionnag.generation.front import SURVEYED
from diffusionnag.generation.request import read_property
from diffusionnag.guidance import Bound, limit
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.report import plot_distributions
from diffusionnag.spaces import SearchSpace, get_search_space
from experiments.guidance.nsga2 import nsga2
from experiments.result_table import ResultTable

ASKED = (
    ("nasbench201", ("cifar10", "latency:pixel3"), (1, -1), None),
    ("mnasnet", ("imagenet_top1", "zcu102_latency_ms"), (1, -1), None),
    ("mnasnet", ("imagenet_top1", "tpuv3_images_per_s"), (1, 1), None),
    ("mnasnet", ("imagenet_top1", "zcu102_latency_ms"), (1, -1), "params"),
    ("mnasnet", ("imagenet_top1", "zcu102_latency_ms", "params"), (1, -1, -1), None),
    ("mobilenetv3", ("imagenet_top1", "latency:2080ti_64"), (1, -1), None),
    ("mobilenetv3", ("imagenet_top1", "macs"), (1, -1), None),
)
"""Space, properties, which way each is better, and a property held below its median."""
COUNT = 64
SEEDS = range(10)
FEWEST_PREDICTIONS = 20_000
"""What NSGA-II is given where the whole space takes less."""


@dataclass(frozen=True)
class Case:
    """One front to look for."""

    space: SearchSpace
    objectives: Objectives
    limits: tuple[Bound, ...]

    @property
    def asked(self) -> str:
        """What is asked for, as text."""
        pairs = zip(self.objectives.properties, self.objectives.directions, strict=True)
        names = [f"{each.property_name}{'' if way > 0 else ' (less)'}" for each, way in pairs]
        return ", ".join(names) + "".join(f", {bound.describe()}" for bound in self.limits)


def cases() -> list[Case]:
    """Return the fronts to look for."""
    made = []
    for name, properties, weights, limited in ASKED:
        space = get_search_space(name)
        objectives = Objectives(
            tuple(read_property(each, space) for each in properties), tuple(map(float, weights))
        )
        limits: tuple[Bound, ...] = ()
        if limited is not None:
            bounded = read_property(limited, space)
            values = bounded.predict(space.sample(SURVEYED, 0))[0]
            limits = (limit(bounded, at_most=float(np.median(values))),)
        made.append(Case(space, objectives, limits))
    return made


def fronts(report: Callable[[str], None]) -> ResultTable:
    """Return hypervolumes of 64 handed out, of NSGA-II's in the same time, and of random ones."""
    rows, gained = [], {}
    for case in cases():
        worst = case.objectives.scores(case.space.sample(SURVEYED, 0)).min(0)
        runs = []
        for seed in SEEDS:
            report(f"{case.space.name}, {case.asked}: seed {seed}")
            runs.append(_compared(case, worst, seed))
        ours, theirs, random, seconds, predictions = np.array(runs).T
        gain = 100 * (ours / theirs - 1)
        gained[f"{case.space.name}: {case.asked}"] = gain
        rows.append(
            (
                case.space.name,
                case.asked,
                f"{ours.mean():.2f}",
                f"{theirs.mean():.2f}",
                f"{random.mean():.2f}",
                f"{gain.mean():+.2f} ± {interval(gain):.2f} %",
                f"{(gain >= -1e-6).sum()} of {len(gain)}",
                f"{seconds.mean():.2f}",
                f"{predictions.mean():,.0f}",
            )
        )
    return ResultTable(
        title="Fronts, and those of NSGA-II on the same predictors in the same time",
        columns=(
            *("space", "asked for", "generated", "NSGA-II", "random", "gain", "not worse"),
            *("seconds", "NSGA-II's predictions"),
        ),
        rows=tuple(rows),
        notes=(
            f"Hypervolume of {COUNT} handed out, predicted and standardised, from the worst values "
            f"of {SURVEYED:,} random draws: means over seeds 0 to {SEEDS[-1]}; the gain with its 95 % "
            "interval, paired. `random` is of as many uniform draws within the limit.",
            "NSGA-II (Deb et al. 2002) works on index arrays: population 200, binary tournaments, "
            "uniform crossover with probability 0.9, each node changed with probability 1 in N. "
            "What it hands out is chosen from its last population as ours is. Seconds are "
            "of computing in one thread, the same for both (NSGA-II gets at least "
            f"{FEWEST_PREDICTIONS:,} predictions).",
        ),
        picture=functools.partial(
            plot_distributions,
            gained,
            xlabel="hypervolume, % above NSGA-II's in the same time",
            title="Fronts against NSGA-II",
        ),
    )


def _compared(case: Case, worst: np.ndarray, seed: int) -> tuple[float, ...]:
    """Return the three hypervolumes, the seconds, and how much NSGA-II predicted."""
    start = time.thread_time()
    front = find_front(case.space, COUNT, case.objectives, limits=case.limits, seed=seed)
    seconds = time.thread_time() - start
    evolved = nsga2(case.space, case.objectives, case.limits, seed, seconds, FEWEST_PREDICTIONS)
    chosen = evolved.scores[choose(evolved.scores, COUNT)]
    random = within_limits(case.limits, case.space.sample(4 * COUNT, seed))[:COUNT]
    return (
        hypervolume(case.objectives.scores(front.architectures), worst),
        hypervolume(chosen, worst),
        hypervolume(case.objectives.scores(random), worst),
        seconds,
        float(evolved.predicted),
    )
