"""NSGA-II on predictors, written on index arrays: what any search for a front has to beat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.generation import Objectives, non_dominated
from diffusionnag.generation.dominance import crowding_distance
from diffusionnag.guidance import Bound
from diffusionnag.spaces import SearchSpace

POPULATION = 200
CROSSED = 0.9
"""The share of children with two parents."""


@dataclass(frozen=True)
class Evolved:
    """The last population within the limits."""

    scores: np.ndarray
    """`architectures x properties`, standardised, more being better."""
    operations: np.ndarray
    """Of the same architectures, `architectures x N` indices."""
    predicted: int


def nsga2(
    space: SearchSpace,
    objectives: Objectives,
    limits: Sequence[Bound],
    seed: int,
    seconds: float,
    fewest: int,
) -> Evolved:
    """Return what Deb et al. (2002) find in so many seconds of computing, and `fewest` predictions.

    What breaks a limit is ranked behind all that keeps it, by how much it does.
    """
    rng = numpy_generator(seed)
    choices = space.allowed.sum(1)
    options = np.argsort(~space.allowed, axis=1, kind="stable")
    end = time.thread_time() + seconds
    population = np.unique(space.sample_operations(POPULATION, rng), axis=0)
    scores, broken = _judge(space, objectives, limits, population)
    predicted = len(population)
    while time.thread_time() < end or predicted < fewest:
        rank, crowding = _ranked(scores, broken)
        first, second = (population[_winners(rank, crowding, rng)] for _ in range(2))
        from_first = rng.random(first.shape) < 0.5
        from_first[rng.random(len(first)) > CROSSED] = True
        children = np.where(from_first, first, second)
        changed = rng.random(children.shape) < (choices > 1) / (choices > 1).sum()
        row, node = np.nonzero(changed)
        children[row, node] = options[node, rng.integers(choices[node])]
        if space.has_twins:
            children = space.canonical(children)
        children = np.unique(children[space.obeys_rule(children)], axis=0)
        judged = _judge(space, objectives, limits, children)
        predicted += len(children)
        population, kept = np.unique(
            np.concatenate([population, children]), axis=0, return_index=True
        )
        scores = np.concatenate([scores, judged[0]])[kept]
        broken = np.concatenate([broken, judged[1]])[kept]
        rank, crowding = _ranked(scores, broken)
        best = np.lexsort((-crowding, rank))[:POPULATION]
        population, scores, broken = population[best], scores[best], broken[best]
    return Evolved(scores[broken == 0], population[broken == 0], predicted)


def _judge(
    space: SearchSpace, objectives: Objectives, limits: Sequence[Bound], operations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and how far the limits are broken, both standardised."""
    architectures = space.architectures(operations)
    broken = np.zeros(len(operations))
    for bound in limits:
        broken += bound.shortfall(architectures)
    return objectives.scores(architectures), broken


def _winners(rank: np.ndarray, crowding: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rows that win binary tournaments."""
    first, second = rng.integers(len(rank), size=(2, POPULATION))
    better = (rank[first] < rank[second]) | (
        (rank[first] == rank[second]) & (crowding[first] > crowding[second])
    )
    return np.where(better, first, second)


def _ranked(scores: np.ndarray, broken: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the front of each row and its crowding distance there."""
    rank, crowding = np.zeros(len(scores)), np.zeros(len(scores))
    left = np.flatnonzero(broken == 0)
    front = 0
    while len(left):
        first = non_dominated(scores[left])
        rows, left = left[first], left[~first]
        rank[rows], crowding[rows] = front, crowding_distance(scores[rows])
        front += 1
    worse = np.flatnonzero(broken > 0)
    rank[worse] = front + np.argsort(np.argsort(broken[worse], kind="stable"), kind="stable")
    return rank, crowding
