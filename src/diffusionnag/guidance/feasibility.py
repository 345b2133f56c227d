"""Whether a guide fits a space, and its limits can be kept at all, told before generating."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance.properties import Bound, Property
from diffusionnag.guidance.terms import Guidance
from diffusionnag.spaces import Architecture, SearchSpace

STARTS = 256
DESCENTS = 4
"""Best starts from which the limits are approached, one operation at a time."""


def limits_of(guide: Guidance | None, space: SearchSpace) -> list[Bound]:
    """Return the limits inside a guide, after a check that they, and it, fit this space."""
    leaves = guide.leaves() if guide is not None else ()
    for leaf in leaves:
        judged = getattr(leaf, "property", None)
        if isinstance(judged, Property) and not _same(judged.search_space, space):
            raise DiffusionNAGError(
                f"the guide predicts {judged.search_space.name} architectures, not {space.name} ones"
            )
    limits = [leaf for leaf in leaves if isinstance(leaf, Bound)]
    if limits:
        check_limits(limits, space)
    return limits


def _same(space: SearchSpace, other: SearchSpace) -> bool:
    return (space.nodes, space.operations, space.edges) == (
        other.nodes,
        other.operations,
        other.edges,
    )


def within_limits(
    limits: Sequence[Bound], architectures: Sequence[Architecture]
) -> list[Architecture]:
    """Return the architectures that keep all limits, in their order."""
    keeps = keep_limits(limits, architectures)
    return [each for each, kept in zip(architectures, keeps, strict=True) if kept]


def keep_limits(limits: Sequence[Bound], architectures: Sequence[Architecture]) -> np.ndarray:
    """Return which architectures keep all limits, `batch` bool."""
    keeps = np.ones(len(architectures), dtype=bool)
    for limit in limits if len(architectures) else ():
        keeps &= limit.keeps(architectures)
    return keeps


def check_limits(limits: Sequence[Bound], space: SearchSpace) -> None:
    """Raise DiffusionNAGError, with the nearest value found, for limits that nothing keeps.

    Random architectures are tried first; from the nearest ones the shortfall is then lowered by
    changing one operation at a time, until no change helps.
    """
    starts = space.sample(STARTS, 0)
    for limit in limits:
        nearest = _nearest([limit], space, starts)
        if nearest is not None:
            raise DiffusionNAGError(
                f"no {space.name} architecture was found that keeps {limit.describe()}"
                f"{_certainty(limit)}; the nearest has {limit.describe(nearest)}"
            )
    if len(limits) > 1:
        nearest = _nearest(limits, space, starts)
        if nearest is not None:
            together = " and ".join(limit.describe() for limit in limits)
            values = ", ".join(limit.describe(nearest) for limit in limits)
            raise DiffusionNAGError(
                f"no {space.name} architecture was found that keeps {together} together; the "
                f"nearest has {values}"
            )


def _certainty(limit: Bound) -> str:
    return f" with probability {limit.probability:g}" if limit.probability != 0.5 else ""


def _nearest(
    limits: Sequence[Bound], space: SearchSpace, starts: list[Architecture]
) -> Architecture | None:
    """Return the architecture found that breaks the limits least, None once one keeps them."""

    def shortfall(architectures: Sequence[Architecture]) -> np.ndarray:
        return np.sum([limit.shortfall(architectures) for limit in limits], axis=0)

    short = shortfall(starts)
    nearest, least = starts[int(short.argmin())], float(short.min())
    for row in np.argsort(short)[:DESCENTS].tolist():
        here, now = starts[row], float(short[row])
        while now > 0:
            around = list(space.neighbours(here))
            if not around:
                break
            missing = shortfall(around)
            if missing.min() >= now:
                break
            here, now = around[int(missing.argmin())], float(missing.min())
        if now < least or now == 0:
            nearest, least = here, now
        if least == 0:
            return None
    return nearest
