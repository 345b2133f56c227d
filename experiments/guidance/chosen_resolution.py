"""What choosing the input resolution with the layers is worth, within limits on what a network costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from diffusionnag.generation import Generator, Sampling, find_best
from diffusionnag.generation.request import read_property
from diffusionnag.guidance import Bound, maximize
from diffusionnag.spaces import ConditionedSpace, SearchSpace, get_search_space
from experiments.result_table import ResultTable

FREE, GUIDE = "mobilenetv3_resolution", "imagenet_top1"
FIXED = (224, 192, 160, 128)
LIMITS = (
    {"macs": 60.0},
    {"macs": 100.0},
    {"macs": 150.0},
    {"macs": 300.0},
    {"peak_memory": 0.3},
    {"peak_memory": 0.6},
    {"macs": 100.0, "peak_memory": 0.4},
)
"""In millions."""
OF, SEEDS = 10, range(3)
SECONDS = (1.0, 4.0)
"""Each buys a climb; one is the default."""
DRAWN = 10_000


def chosen_resolution(report: Callable[[str], None]) -> ResultTable:
    """Return the predicted accuracy of the best ten at fixed resolutions and at those chosen."""
    free = get_search_space(FREE)
    assert isinstance(free, ConditionedSpace)
    rows = []
    for limits in LIMITS:
        asked = " and ".join(f"{name} <= {bound:g} M" for name, bound in limits.items())
        report(asked)
        cells = [
            _accuracy(free.inner.under(resolution=float(resolution)), limits)[0]
            for resolution in FIXED
        ]
        chosen = [_accuracy(free, limits, seconds) for seconds in SECONDS]
        rows.append((asked, *cells, *(accuracy for accuracy, _ in chosen), chosen[-1][1]))
    return ResultTable(
        title="ImageNet top-1 within limits: the resolution fixed, or chosen with the layers",
        columns=(
            *("limits", *(f"at {resolution}" for resolution in FIXED)),
            *("chosen", f"chosen, --seconds {SECONDS[-1]:g}", "resolutions"),
        ),
        rows=tuple(rows),
        notes=(
            f"Predicted top-1 in %, mean of the best {OF} that `generate --guide {GUIDE}` hands out, of "
            f"{len(SEEDS)} seeds; `-`: nothing keeps the limits. Chosen: in `{FREE}`, where the "
            "resolution is a node; the last column has the least and the highest. The guide is the shipped "
            "predictor, which has errors of about 0.3 points below 224 pixels.",
            _validity(free, report),
        ),
    )


def _accuracy(
    space: SearchSpace, limits: dict[str, float], seconds: float = SECONDS[0]
) -> tuple[str, str]:
    """Return the mean prediction of the best, and the range of resolutions where they are chosen."""
    guide = read_property(GUIDE, space)
    bounds = [read_property(name, space) <= bound for name, bound in limits.items()]
    if not _kept_by_some(space, bounds):
        return "-", ""
    wanted = maximize(guide)
    for bound in bounds:
        wanted = wanted + bound
    groups = [
        find_best(space, OF, guide=wanted, seconds=seconds, seed=seed).architectures
        for seed in SEEDS
    ]
    mean = np.mean([guide.predict(architectures)[0] for architectures in groups])
    if not isinstance(space, ConditionedSpace):
        return f"{mean:.2f}", ""
    at = [space.split(each)[1] for architectures in groups for each in architectures]
    return f"{mean:.2f}", f"{min(at)} to {max(at)}"


def _kept_by_some(space: SearchSpace, bounds: Sequence[Bound]) -> bool:
    smallest = get_search_space("mobilenetv3").extremes()[1]
    if isinstance(space, ConditionedSpace):
        smallest = space.joined(smallest, str(space.values[0]))
    return all(bound.keeps([smallest])[0] for bound in bounds)


def _validity(space: SearchSpace, report: Callable[[str], None]) -> str:
    """Return how many of 10,000 are valid as the network draws them, free and within a limit."""
    generator = Generator.from_pretrained(space.name)
    limit = read_property("macs", space) <= 100.0
    shares = []
    for guide in (None, maximize(read_property(GUIDE, space)) + limit):
        report("drawing")
        drawn = generator.draw(DRAWN, guide=guide, sampling=Sampling(seed=1))
        shares.append(100 * np.mean([bool(space.is_valid(each)) for each in drawn]))
    return (
        f"Of {DRAWN:,} that the generator draws, before any repair, {shares[0]:.2f} % are valid; guided "
        f"within {limit.describe()} M, {shares[1]:.2f} %."
    )
