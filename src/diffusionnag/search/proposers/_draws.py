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

Unseen = dict[tuple[tuple[str, str], ...], list[Architecture]]
"""What was generated with such operations, by node and operation."""


def draw_apart(
    space: SearchSpace,
    taken: Collection[Architecture],
    rng: np.random.Generator,
    limits: Sequence[Bound],
    generator: Generator | None,
    generated: Unseen,
) -> Architecture:
    """Return, of many uniform draws, the one whose operations are rarest among those taken.

    After a few of them every operation has been at every node about equally often, as in a Latin
    hypercube. What limits keep from the draws is generated, given a generator, and noted in
    `generated`, so that it is not generated again. Otherwise as `draw_untaken`.
    """
    everything = space.sample(COMPARED, rng)
    drawn = within_limits(limits, everything)
    if limits and generator is not None:
        possible = space.encode(everything).any(0)
        seen = space.encode([*drawn, *taken]).any(0) if drawn or taken else ~space.allowed
        unseen = np.argwhere(possible & ~seen)
        if len(unseen):
            node, operation = unseen[rng.integers(len(unseen))].tolist()
            drawn = _with_operation(space, node, operation, limits, generator, generated) or drawn
    drawn = [architecture for architecture in drawn if architecture not in taken]
    if not drawn:
        return draw_untaken(space, taken, rng, limits, generator)
    used = space.encode(list(taken)).sum(0) if taken else np.zeros(space.allowed.shape)
    return drawn[int((space.encode(drawn) * used).sum((1, 2)).argmin())]


def _with_operation(
    space: SearchSpace,
    node: int,
    operation: int,
    limits: Sequence[Bound],
    generator: Generator,
    generated: Unseen,
) -> list[Architecture]:
    """Return generated architectures with an operation at a node, none if none keeps the limits.

    Of what few architectures keep the limits a search would never learn that it is good.
    """
    decided = dict(space.fixed) if isinstance(space, FixedNodes) else {}
    named = {
        space.nodes[place]: space.operations[index]
        for place, index in (decided | {node: operation}).items()
    }
    key = tuple(sorted(named.items()))
    if key not in generated:
        part = generator.within(fix_nodes(space.whole, named))
        try:
            generated[key] = part.sample(UNSEEN, guide=Sum(tuple(limits))).architectures
        except DiffusionNAGError:  # none keeps the limits, or the generator finds none that does
            generated[key] = []
    return generated[key]


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
