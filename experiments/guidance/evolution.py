"""A plain evolution on predictors: what any search of architectures has to beat."""

from __future__ import annotations

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.guidance import Bound, Guidance
from diffusionnag.guidance.terms import merit
from diffusionnag.spaces import SearchSpace

DRAWN, ROUNDS, MUTANTS = 5_000, 40, 400
"""Uniform draws at the start, then rounds of mutants: about 20,000 predictor calls."""
FEWEST_PARENTS = 100
BROKEN = 1e9
"""What a standardised shortfall costs: more than any score is worth."""
LEAST = 1e-5


def evolve(
    space: SearchSpace, count: int, score: Guidance, limits: list[Bound], seed: int
) -> np.ndarray:
    """Return the scores, best first, of the best `count` distinct ones that keep the limits.

    Mutants change one node of one of the best 100 (`count`, if that is more). All of it works on
    arrays of indices: mutating architectures one by one takes ten times as long or more.
    """
    rng = numpy_generator(seed)
    free = np.flatnonzero(space.allowed.sum(1) > 1)
    numbers = space.allowed.sum(1)
    options = np.argsort(~space.allowed, axis=1, kind="stable")
    operations = np.zeros((0, len(space.nodes)), dtype=np.int64)
    values = np.zeros(0)
    mutants = space.sample_operations(DRAWN, rng)
    for _ in range(ROUNDS + 1):
        judged = space.architectures(mutants)
        value = merit(score, space, judged)
        for limit in limits:
            value -= BROKEN * limit.shortfall(judged)
        operations = np.concatenate([operations, mutants])
        values = np.concatenate([values, value])
        operations, first = np.unique(operations, axis=0, return_index=True)
        values = values[first]
        best = np.argsort(-values)[: max(FEWEST_PARENTS, count)]
        operations, values = operations[best], values[best]
        mutants = operations[rng.integers(len(operations), size=2 * MUTANTS)]
        nodes = rng.choice(free, size=len(mutants))
        mutants[np.arange(len(mutants)), nodes] = options[nodes, rng.integers(numbers[nodes])]
        mutants = mutants[space.obeys_rule(mutants)][:MUTANTS]
    return values[values > -BROKEN * LEAST][:count]
