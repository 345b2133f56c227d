"""What `best` hands out against a plain evolution on the same predictors, under limits."""

from __future__ import annotations

import functools
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.generation import find_best
from diffusionnag.generation.request import read_property
from diffusionnag.guidance import Bound, Guidance, Property, limit, maximize
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.guidance.terms import Sum, merit
from diffusionnag.report import plot_distributions
from diffusionnag.spaces import SearchSpace, get_search_space
from experiments.guidance.evolution import MUTANTS, ROUNDS, evolve
from experiments.result_table import ResultTable

PROPERTIES = {
    "nasbench201": ("cifar10", "analog_noise", "latency:pixel3", "latency:fpga"),
    "mnasnet": ("imagenet_top1", "tpuv3_images_per_s", "zcu102_latency_ms", "vck190_latency_ms"),
    "mobilenetv3": ("macs", "params", "latency:2080ti_64", "latency:v100_1"),
}
"""Of each space two guides and two properties to limit."""
KINDS = {"one limit": (1, 1), "two limits": (1, 2), "two guides, a limit": (2, 1)}
"""How many guides and limits."""
COUNTS = (1, 10, 100, 1_000)
QUANTILES = (0.05, 0.3, 0.6)
SEEDS = range(5)
MANY = 1_000
"""So many are asked for with the first seed alone."""
SURVEYED = 2_000
FEW = 30_000
"""Architectures that are counted one by one."""
ROUNDING = 1e-4
"""Of a mean guide, in float32."""


@dataclass(frozen=True)
class Case:
    """One thing to ask for."""

    space: SearchSpace
    kind: str
    quantile: float
    guides: tuple[Property, ...]
    limits: tuple[Bound, ...]

    @property
    def score(self) -> Guidance:
        """The guides alone."""
        return Sum(tuple(map(maximize, self.guides)))


def cases() -> Iterator[Case]:
    """Yield the grid; limits are quantiles of random draws."""
    for name, names in PROPERTIES.items():
        space = get_search_space(name)
        properties = [read_property(name, space) for name in names]
        drawn = space.sample(SURVEYED, 0)
        values = [property_.predict(drawn)[0] for property_ in properties]
        for (kind, (guides, limits)), quantile in itertools.product(KINDS.items(), QUANTILES):
            bounds = tuple(
                limit(properties[row], at_most=float(np.quantile(values[row], quantile)))
                for row in range(2, 2 + limits)
            )
            yield Case(space, kind, quantile, tuple(properties[:guides]), bounds)


def best(report: Callable[[str], None]) -> ResultTable:
    """Return the mean guide of what is handed out, and the time, next to an evolution's."""
    rows, gained = [], defaultdict(list)
    for case in cases():
        for counts, seeds in ((COUNTS[:-1], SEEDS), (COUNTS[-1:], SEEDS[:1])):
            if not _exist(case, max(counts)):
                continue
            report(f"{case.space.name}, {case.kind} at {case.quantile:g}: {counts}")
            runs = np.array([_compared(case, counts, seed) for seed in seeds])
            for count, figures in zip(counts, runs.transpose(1, 0, 2), strict=True):
                mean, evolved, seconds, ratio, predicted, complete = figures.mean(0)
                gain = figures[:, 0] - figures[:, 1]
                gained[case.space.name] += gain.tolist()
                rows.append(
                    (
                        case.space.name,
                        case.kind,
                        f"{100 * case.quantile:g} %",
                        f"{count:,}",
                        f"{mean:.3f}",
                        f"{evolved:.3f}" if complete == 1 else f"{evolved:.3f} *",
                        f"{(gain >= -ROUNDING).sum()} of {len(seeds)}",
                        f"{seconds:.2f}",
                        f"{ratio:.2f}",
                        f"{predicted:,.0f}",
                    )
                )
    spaces = map(get_search_space, PROPERTIES)
    mutating = ", ".join(f"{space.name} {_seconds_of_mutating(space):.0f} s" for space in spaces)
    return ResultTable(
        title="The best under limits, and a plain evolution on the same predictors",
        columns=(
            *("space", "asked for", "limit", "n", "best", "evolution", "not worse"),
            *("seconds", "share of its time", "predicted"),
        ),
        rows=tuple(rows),
        notes=(
            "Mean guide of the n handed out, the guides standardised and added: means over seeds "
            f"0 to {SEEDS[-1]} (n = {MANY:,}: seed 0). A limit is the quantile of {SURVEYED:,} "
            "random draws that the column names; where fewer than n keep it there is no row. `*`: the "
            "evolution found fewer than n within the limits, and its mean is of those.",
            "The evolution: 5,000 draws, 40 rounds of 400 mutants of its best, about 20,000 "
            "predictions, on index arrays. Mutating with `space.mutate`, one architecture at a time, "
            f"would alone take {mutating}. Seconds are of computing in one thread, evolution and "
            "best in turn, on a machine that was busy with other work: their ratio means more.",
        ),
        picture=functools.partial(
            plot_distributions,
            {name: np.array(values) for name, values in gained.items()},
            xlabel="mean guide of what is handed out: best minus evolution, standardised",
            title="Best against 20,000 predictions of evolution",
        ),
    )


def _exist(case: Case, count: int) -> bool:
    """Whether so many architectures keep the limits; of a large space they always do."""
    if case.space.combinations > FEW:
        return True
    return len(within_limits(case.limits, list(case.space.enumerate()))) >= count


def _compared(case: Case, counts: Sequence[int], seed: int) -> list[tuple[float, ...]]:
    """Return, for each count, both mean guides, seconds, share of time, predictions, completeness.

    One evolution serves all counts: up to 100 it has the same parents.
    """
    start = time.thread_time()
    evolved = evolve(case.space, max(counts), case.score, list(case.limits), seed)
    evolution_seconds = time.thread_time() - start
    compared = []
    for count in counts:
        start = time.thread_time()
        samples = find_best(case.space, count, guide=Sum((case.score, *case.limits)), seed=seed)
        seconds = time.thread_time() - start
        scores = merit(case.score, case.space, samples.architectures) / GUIDANCE_SCALE
        kept = evolved[:count] / GUIDANCE_SCALE
        compared.append(
            (
                float(scores.mean()),
                float(kept.mean()) if len(kept) else np.nan,
                seconds,
                seconds / evolution_seconds,
                float(samples.details.predicted),
                float(len(kept) == count),
            )
        )
    return compared


def _seconds_of_mutating(space: SearchSpace) -> float:
    """Return how long an evolution takes to mutate architectures one by one, from a tenth of it."""
    parents = space.sample(MUTANTS * ROUNDS // 10, 0)
    start = time.thread_time()
    for seed, parent in enumerate(parents):
        space.mutate(parent, seed)
    return 10 * (time.thread_time() - start)
