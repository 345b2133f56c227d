"""Draws: what is measured before there is anything to learn from."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from diffusionnag.errors import DiffusionNAGError, SpaceExhaustedError
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Bound, Guidance
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.guidance.terms import Sum, merit
from diffusionnag.spaces import Architecture, FixedNodes, SearchSpace, fix_nodes

COMPARED = 256
"""Uniform draws of which one that differs from all before is chosen."""
ATTEMPTS = 20
"""Rounds of random draws before what is left of a space is looked for in other ways."""
GENERATED = 64
"""Architectures generated where hardly any random draw keeps the limits, or under a predictor."""
UNSEEN = 8
"""Architectures generated with an operation that no draw within the limits has."""


def draw_apart(
    space: SearchSpace,
    taken: Collection[Architecture],
    rng: np.random.Generator,
    limits: Sequence[Bound] = (),
    generator: Generator | None = None,
) -> Architecture:
    """Return, of many uniform draws, the one whose operations are rarest among those taken.

    After a few of them every operation has been at every node about equally often, as in a Latin
    hypercube. What limits keep from the draws is generated, given a generator. Otherwise as
    `draw_untaken`.
    """
    drawn = within_limits(limits, space.sample(COMPARED, rng))
    if limits and generator is not None:
        drawn = _with_unseen_operation(space, [*drawn, *taken], rng, limits, generator) or drawn
    drawn = [architecture for architecture in drawn if architecture not in taken]
    if not drawn:
        return draw_untaken(space, taken, rng, limits, generator)
    used = space.encode(list(taken)).sum(0) if taken else np.zeros(space.allowed.shape)
    return drawn[int((space.encode(drawn) * used).sum((1, 2)).argmin())]


def _with_unseen_operation(
    space: SearchSpace,
    seen: Sequence[Architecture],
    rng: np.random.Generator,
    limits: Sequence[Bound],
    generator: Generator,
) -> list[Architecture]:
    """Return architectures with an operation that none of the seen has at its node, if there are any.

    Of what few architectures keep the limits a search would never learn that it is good.
    """
    had = space.encode(list(seen)).any(0) if seen else np.zeros(space.allowed.shape, dtype=bool)
    unseen = np.argwhere(space.allowed & ~had)
    if not len(unseen):
        return []
    node, operation = unseen[rng.integers(len(unseen))].tolist()
    decided = dict(space.fixed) if isinstance(space, FixedNodes) else {}
    named = {
        space.nodes[place]: space.operations[index]
        for place, index in (decided | {node: operation}).items()
    }
    sampling = Sampling(seed=int(rng.integers(2**31)))
    try:
        part = generator.within(fix_nodes(space.whole, named))
        return part.sample(UNSEEN, guide=Sum(tuple(limits)), sampling=sampling).architectures
    except DiffusionNAGError:  # none of them keeps the limits
        return []


def generate_promising(
    guide: Guidance, seed: int, limits: Sequence[Bound], generator: Generator
) -> list[Architecture]:
    """Return architectures generated under a guide, the best by it first.

    The same ones are generated with the same seed. Raises DiffusionNAGError as `Generator.sample`
    does.
    """
    generated = generator.sample(
        GENERATED, guide=Sum((guide, *limits)), sampling=Sampling(seed=seed)
    )
    order = np.argsort(-merit(guide, generator.search_space, generated), kind="stable")
    return [generated[row] for row in order]


def draw_untaken(
    space: SearchSpace,
    taken: Collection[Architecture],
    rng: np.random.Generator,
    limits: Sequence[Bound] = (),
    generator: Generator | None = None,
) -> Architecture:
    """Return a uniform draw that is not taken and keeps the limits.

    In a space too big to be enumerated, where hardly anything keeps them, it is generated instead,
    given a generator. Raises SpaceExhaustedError when nothing is left that can be found.
    """
    for _ in range(ATTEMPTS):
        for drawn in within_limits(limits, space.sample(8, rng)):
            if drawn not in taken:
                return drawn
    if space.is_enumerable:
        rest: Sequence[Architecture] = list(space.enumerate())
    elif limits and generator is not None:
        seed = int(rng.integers(2**31))
        rest = generator.within(space).sample(
            GENERATED, guide=Sum(tuple(limits)), sampling=Sampling(seed=seed)
        )
    else:
        rest = []
    left = within_limits(
        limits, [architecture for architecture in rest if architecture not in taken]
    )
    if not left:
        fixed = (space.describe(),) if isinstance(space, FixedNodes) else ()
        kept = " and ".join((*fixed, *(limit.describe() for limit in limits)))
        raise SpaceExhaustedError(
            f"every architecture of {space.name} that can be found{f' with {kept}' if kept else ''} "
            "has been proposed"
        )
    return left[int(rng.integers(len(left)))]
