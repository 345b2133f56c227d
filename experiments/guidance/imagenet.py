"""MobileNetV3 on ImageNet: guided architectures, judged by Once-for-All's own predictor.

The guide learnt from measured architectures; what judges is a network of other authors, trained on
other measurements, and calibrated on those of the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from diffusionnag.generation import Generator, find_best
from diffusionnag.guidance import AnalyticProperty, Guidance, Property, maximize
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.tables.ofa_benchmark import OFA_BENCHMARK_TABLE, ofa_benchmark
from experiments.measured_data import required_table
from experiments.result_table import ResultTable

SPACE, COLUMN = "mobilenetv3", "imagenet_top1@224"
UNGUIDED, KEPT, UNDER_LIMIT = 100_000, 1_000, 300.0
SHARE = 0.01
FRONT = (150.0, 200.0, 255.0, 300.0, 400.0)
OF = 10
SECONDS = 20.0
"""On the clock, not of CPU time."""


def imagenet(report: Callable[[str], None]) -> ResultTable:
    """Return what 1,000 guided architectures are worth beside filtered and random ones.

    Raises DiffusionNAGError where the measured table or Once-for-All's predictor is not installed.
    """
    space = get_search_space(SPACE)
    table = required_table(SPACE, OFA_BENCHMARK_TABLE)
    judge = ofa_benchmark(space, table, COLUMN)
    guide = PropertyPredictor.from_pretrained("imagenet_top1", search_space=space)
    rows = []

    def add(what: str, limit: str, architectures: Sequence[Architecture], seconds: float) -> None:
        values, predicted = judge.predict(architectures), guide.predict(architectures)[0]
        cells = (f"{predicted.mean():.2f}", f"{values.mean():.2f}", f"{values.max():.2f}")
        rows.append((what, limit, f"{len(set(architectures)):,}", *cells, f"{seconds:.1f}"))

    for what, limit, architectures, seconds in _groups(space, guide, report):
        add(what, limit, architectures, seconds)
    measured = table.column(COLUMN)
    macs = AnalyticProperty(space, "macs")
    for bound in FRONT:
        report(f"best of {OF} within {bound:g} M MACs")
        start = time.process_time()
        limited = maximize(guide) + (macs <= bound)
        best = find_best(space, OF, guide=limited, seconds=SECONDS).architectures
        add(f"best {OF} by the guide", f"macs<={bound:g}M", best, time.process_time() - start)
        within = np.flatnonzero((table.column("macs") <= 1e6 * bound) & np.isfinite(measured))
        top = within[np.argmax(measured[within])]
        architecture = space.parse(table.architectures[top])
        add(
            f"best measured of DyNAS-T ({measured[top]:.2f} %)",
            f"macs<={bound:g}M",
            [architecture],
            0.0,
        )
    return ResultTable(
        title="MobileNetV3 on ImageNet at 224 pixels, judged by Once-for-All's own predictor",
        columns=("what", "limit", "distinct", "by the guide", "mean true", "best true", "seconds"),
        rows=tuple(rows),
        notes=(
            "ImageNet top-1 in %; true: Once-for-All's predictor, calibrated on 2,162 measured "
            "architectures (`surrogate:mobilenetv3_ofa:imagenet_top1@224`).",
            f"Filtered: the best {KEPT:,} by the guide of {UNGUIDED:,} uniform random ones, which is what "
            "the generator imitates and takes less time; drawing and predicting are counted.",
            "Seconds: of CPU time, one thread.",
        ),
    )


def _groups(
    space: SearchSpace, guide: Property, report: Callable[[str], None]
) -> list[tuple[str, str, Sequence[Architecture], float]]:
    """Return groups of architectures, each with its name, its limit and the seconds it took."""
    generator = Generator.from_pretrained(SPACE)
    limit = AnalyticProperty(space, "macs") <= UNDER_LIMIT
    named = f"macs<={UNDER_LIMIT:g}M"
    groups = []

    def timed(what: str, limit: str, make: Callable[[], Sequence[Architecture]]) -> None:
        report(what)
        start = time.process_time()
        architectures = make()
        groups.append((what, limit, architectures, time.process_time() - start))

    def sampled(guidance: Guidance, distinct: bool) -> Callable[[], Sequence[Architecture]]:
        return lambda: generator.sample(KEPT, guide=guidance, distinct=distinct).architectures

    def best(guidance: Guidance) -> Callable[[], Sequence[Architecture]]:
        return lambda: find_best(space, KEPT, guide=guidance, seconds=SECONDS).architectures

    timed("guided, as many drawn as handed out", "", sampled(maximize(guide), False))
    timed("guided, distinct", "", sampled(maximize(guide), True))
    timed("best by the guide", "", best(maximize(guide)))

    def filtered() -> Sequence[Architecture]:
        drawn = space.sample(UNGUIDED, 0)
        return _best(drawn, guide.normal_score(drawn), KEPT)

    timed(f"filtered: {KEPT:,} of {UNGUIDED:,} random", "", filtered)
    limited = maximize(guide) + limit
    timed("guided, as many drawn as handed out", named, sampled(limited, False))
    timed("guided, distinct", named, sampled(limited, True))
    timed("best by the guide", named, best(limited))

    def random() -> Sequence[Architecture]:
        drawn = space.sample(UNGUIDED, 0)
        kept = [each for each, inside in zip(drawn, limit.keeps(drawn), strict=True) if inside]
        return _best(kept, guide.normal_score(kept), round(SHARE * len(kept)))

    timed("random, the best 1 % by the guide", named, random)
    return groups


def _best(
    architectures: Sequence[Architecture], scores: np.ndarray, count: int
) -> list[Architecture]:
    return [architectures[row] for row in np.argsort(-scores, kind="stable")[:count]]
