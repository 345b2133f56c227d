"""The search for a front: climbs towards several compromises, and an evolution between them."""

from __future__ import annotations

import time

import numpy as np

from diffusionnag.generation._objective import Goals, Objective, Pool
from diffusionnag.generation.best import Climb
from diffusionnag.generation.dominance import simplex, survivors
from diffusionnag.guidance import maximize
from diffusionnag.guidance.terms import Sum

COMPROMISES = {2: 17, 3: 15}
"""Climbs, by the number of properties: to the best in each, and to evenly spread sums of them."""
CLIMBERS = 16
"""The best of each climb, from which the evolution starts."""
DRAWN = 400
"""Uniform draws from which the climbs, and the evolution with them, start."""
GENERATIONS = 120
"""Generations for each second."""
POPULATION = 200
CLONES = 0.1
"""The share of children with one parent, changed by mutation alone."""


def climb_to_compromises(pool: Pool[Goals], end: float, rng: np.random.Generator) -> int:
    """Add the best of climbs by weighted sums of the properties; return how many were predicted."""
    goals = pool.objective
    pool.add(goals.space.sample_operations(DRAWN, rng))
    predicted = 0
    for shares in simplex(len(goals.properties), COMPROMISES[len(goals.properties)], seed=0):
        pulls = zip(goals.properties, goals.directions, shares.tolist(), strict=True)
        terms = [maximize(each, share * direction) for each, direction, share in pulls if share]
        guide = Sum((*terms, *goals.limits))
        objective = Objective(guide, goals.space, goals.cautious)
        climb = Climb(Pool(objective), CLIMBERS, 0.0, end, width=CLIMBERS)
        climb.run(pool.operations)
        predicted += len(climb.pool)
        pool.add(climb.pool.operations[climb.pool.best(CLIMBERS)])
    return predicted


def evolve_front(
    pool: Pool[Goals], size: int, seconds: float, end: float, rng: np.random.Generator
) -> bool:
    """Add generations of crossed and mutated survivors; return whether time sufficed for all.

    `size` is the least number of survivors. Parents are drawn evenly among them: climbs have done
    what selecting the better ones would do.
    """
    size = max(size, POPULATION)
    parents = _survivors(pool, np.arange(len(pool)), size)
    for _ in range(max(1, round(GENERATIONS * seconds))):
        if time.thread_time() > end:
            return False
        known = len(pool)
        pool.add(_children(pool, parents, rng))
        parents = _survivors(pool, np.append(parents, np.arange(known, len(pool))), size)
    return True


def _survivors(pool: Pool[Goals], rows: np.ndarray, size: int) -> np.ndarray:
    """Return those of the rows that survive: within the limits first, front by front."""
    kept, broken = rows[pool.shortfall[rows] == 0], rows[pool.shortfall[rows] > 0]
    if len(kept) >= size:
        return kept[survivors(pool.score[kept], size)]
    nearest = np.argsort(pool.shortfall[broken], kind="stable")[: size - len(kept)]
    return np.append(kept, broken[nearest])


def _children(pool: Pool[Goals], parents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one child for each parent: nodes of two parents, one of them changed on average."""
    allowed = pool.objective.space.allowed
    choices = allowed.sum(1)
    options = np.argsort(~allowed, axis=1, kind="stable")
    first, second = pool.operations[rng.choice(parents, size=(2, len(parents)))].astype(np.int64)
    own = rng.random(first.shape) < 0.5
    own[rng.random(len(first)) < CLONES] = True
    children = np.where(own, first, second)
    row, node = np.nonzero(rng.random(children.shape) < (choices > 1) / (choices > 1).sum())
    children[row, node] = options[node, rng.integers(choices[node])]
    return children
