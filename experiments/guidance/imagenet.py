"""Big spaces on ImageNet: guided architectures beside filtered ones, and along the front of a search.

The guide learnt from measured architectures. What judges is another model: in MobileNetV3 a predictor
of other authors, trained on other measurements, and calibrated on those of the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffusionnag.generation import Best, Generator, find_best
from diffusionnag.guidance import AnalyticProperty, Bound, Guidance, Property, maximize
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.tables import clean_measurements
from diffusionnag.tables.ofa_benchmark import OFA_BENCHMARK_TABLE, ofa_benchmark
from experiments.measured_data import required_table
from experiments.result_table import ResultTable

OFA, MNASNET = "mobilenetv3", "mnasnet"
COLUMN = "imagenet_top1@224"
UNGUIDED, KEPT = 100_000, 1_000
WEIGHTS = (1, 4)
LIMIT = 300.0
SHARE = 0.01
FRONT = (150.0, 200.0, 255.0, 300.0, 400.0)
OF = 10
DIVERSE = 0.2
SECONDS = 4.0
"""Each buys a climb."""


@dataclass(frozen=True)
class Judged:
    """A space, what guides there and what judges."""

    space: SearchSpace
    guide: Property
    judge: Callable[[Sequence[Architecture]], np.ndarray]

    def row(
        self,
        what: str,
        limit: Bound | None,
        asked: int,
        architectures: Sequence[Architecture],
        seconds: float | None,
    ) -> tuple[str, ...]:
        """Return a row of the table; `asked` is how many were drawn or predicted."""
        values, predicted = self.judge(architectures), self.guide.predict(architectures)[0]
        return (
            self.space.name,
            what,
            "" if limit is None else f"{limit.describe()} M",
            f"{asked:,}",
            f"{len(set(architectures)):,}",
            f"{predicted.mean():.2f}",
            f"{values.mean():.2f}",
            f"{values.max():.2f}",
            "-" if seconds is None else f"{seconds:.1f}",
        )


def imagenet(report: Callable[[str], None]) -> ResultTable:
    """Return what guided architectures are worth beside filtered, random and measured ones.

    Raises DiffusionNAGError where a measured table or Once-for-All's predictor is not installed.
    """
    rows = []
    mobile = _mobilenetv3()
    error = _error_of_the_judge(mobile)
    for judged in (mobile, _mnasnet()):
        limits = (None, AnalyticProperty(judged.space, "macs") <= LIMIT)
        for limit in limits if judged.space.name == OFA else limits[:1]:
            for row in _groups(judged, limit):
                report(" ".join(row[:3]))
                rows.append(row)
        if judged.space.name == OFA:
            for row in _along_the_front(judged):
                report(" ".join(row[:3]))
                rows.append(row)
    return ResultTable(
        title="Big spaces on ImageNet: guided, filtered and measured architectures",
        columns=(
            "space",
            "what",
            "limit",
            "drawn",
            "kept",
            "mean by the guide",
            "mean true",
            "best true",
            "CPU seconds",
        ),
        rows=tuple(rows),
        notes=(
            "ImageNet top-1 in %. True: in MobileNetV3 by Once-for-All's own predictor, calibrated on 2,162 "
            "measured architectures at 224 pixels (`surrogate:mobilenetv3_ofa:imagenet_top1@224`); in "
            "MnasNet by `surrogate:mnasnet_imagenet:imagenet_top1`. The guides are the shipped predictors.",
            f"Drawn: how many left the generator, or were predicted. Guided ones are {KEPT:,} distinct, "
            "drawn until there are so many, or as many as are handed out. Random: the best by the guide of "
            "so many uniform ones, which is what the generator imitates without a guide, and faster.",
            f"Mean absolute error of the judge in MobileNetV3 on what was measured: {error:.2f} points.",
        ),
    )


def _mobilenetv3() -> Judged:
    space = get_search_space(OFA)
    judge = ofa_benchmark(space, required_table(OFA, OFA_BENCHMARK_TABLE), COLUMN)
    guide = PropertyPredictor.from_pretrained("imagenet_top1", search_space=space)
    return Judged(space, guide, judge.predict)


def _error_of_the_judge(judged: Judged) -> float:
    """Return its mean absolute error on the architectures that it was calibrated on."""
    measured = clean_measurements(required_table(OFA, OFA_BENCHMARK_TABLE), judged.space, COLUMN)
    return float(np.abs(judged.judge(measured.architectures) - measured.values).mean())


def _mnasnet() -> Judged:
    from diffusionnag.tables.surrogate import SurrogateBenchmark

    space, column = get_search_space(MNASNET), "imagenet_top1"
    measured = clean_measurements(required_table(MNASNET, "mnasnet_imagenet"), space, column)
    judge = SurrogateBenchmark(space).fit(measured.architectures, measured.values)
    guide = PropertyPredictor.from_pretrained(column, search_space=space)
    return Judged(space, guide, judge.predict)


def _groups(judged: Judged, limit: Bound | None) -> Iterator[tuple[str, ...]]:
    """Yield a row for each way to get 1,000 architectures."""
    space, guide = judged.space, judged.guide
    generator = Generator.from_pretrained(space.name)

    def wanted(weight: float) -> Guidance:
        return maximize(guide, weight) if limit is None else maximize(guide, weight) + limit

    for weight, distinct in [*((weight, True) for weight in WEIGHTS), (WEIGHTS[-1], False)]:
        start = time.process_time()
        samples = generator.sample(KEPT, guide=wanted(weight), distinct=distinct)
        seconds = time.process_time() - start
        what = f"guided, weight {weight}{'' if distinct else ', as many drawn'}"
        yield judged.row(what, limit, len(samples.drawn), samples.architectures, seconds)
    start = time.process_time()
    best = find_best(space, KEPT, guide=wanted(1), seconds=SECONDS)
    seconds = time.process_time() - start
    assert isinstance(best.details, Best)
    yield judged.row("best", limit, best.details.predicted, best.architectures, seconds)
    start = time.process_time()
    drawn = space.sample(UNGUIDED, 0)
    if limit is not None:
        room = limit.room(torch.from_numpy(space.encode(drawn))).numpy()
        drawn = [drawn[row] for row in np.flatnonzero(room >= 0).tolist()]
    kept = _best_share(drawn, guide)
    seconds = time.process_time() - start
    yield judged.row("random, the best 1 %", limit, UNGUIDED, kept, seconds)


def _best_share(architectures: Sequence[Architecture], guide: Property) -> list[Architecture]:
    """Return the best hundredth by the guide."""
    order = np.argsort(-guide.normal_score(architectures), kind="stable")
    return [architectures[row] for row in order[: round(SHARE * len(architectures))].tolist()]


def _along_the_front(judged: Judged) -> Iterator[tuple[str, ...]]:
    """Yield, for each limit on MACs, the best by the guide and the best that DyNAS-T measured."""
    space, guide = judged.space, judged.guide
    table = required_table(OFA, OFA_BENCHMARK_TABLE)
    measured = table.column(COLUMN)
    for bound in FRONT:
        limit = AnalyticProperty(space, "macs") <= bound
        for diverse, what in ((0.0, f"best {OF}"), (DIVERSE, f"best {OF}, diverse {DIVERSE}")):
            start = time.process_time()
            best = find_best(
                space, OF, guide=maximize(guide) + limit, seconds=SECONDS / 4, diverse=diverse
            )
            seconds = time.process_time() - start
            yield judged.row(what, limit, best.details.predicted, best.architectures, seconds)
        within = np.flatnonzero((table.column("macs") <= 1e6 * bound) & np.isfinite(measured))
        top = int(within[np.argmax(measured[within])])
        architecture = space.parse(table.architectures[top])
        what = f"DyNAS-T's best, measured {measured[top]:.2f}"
        yield judged.row(what, limit, len(within), [architecture], None)
