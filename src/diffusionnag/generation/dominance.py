"""Which of several compromises are better: domination, fronts, spread and hypervolume."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from diffusionnag._packages import require_packages
from diffusionnag._seeds import numpy_generator

POINTS = 16_384
"""Points by which a hypervolume of three properties or more is estimated where one is chosen."""
MARGIN = 0.1
"""So far below a front, as a share of its range, hypervolume begins to count in choosing."""


def non_dominated(values: np.ndarray) -> np.ndarray:
    """Return which rows of `count x properties` no other dominates, `count` bool; more is better.

    One dominates another if it is at least as good in every property and better in one.
    """
    undominated = np.zeros(len(values), dtype=bool)
    # Of what is left, the one with the best first value, then second, is dominated by none.
    left = np.lexsort(values.T[::-1])[::-1]
    while len(left):
        best = values[left[0]]
        rest = values[left]
        undominated[left[(rest == best).all(1)]] = True
        left = left[(rest > best).any(1)]
    return undominated


def choose(values: np.ndarray, count: int) -> np.ndarray:
    """Return `count` rows of `candidates x properties` along the front; more is better.

    The non-dominated come first, then those that only they dominate, and so on (non-dominated
    sorting, Deb et al. 2002). Of a front with more than are still wanted, the best in each property
    are taken, and then always the one that adds most hypervolume to those taken, so that no scale
    of a property matters.
    """
    return _front_by_front(values, count, _covering)


def survivors(values: np.ndarray, count: int) -> np.ndarray:
    """Return the `count` rows that NSGA-II keeps of `candidates x properties`; more is better.

    Front follows front; the last one is thinned where it is most crowded (Deb et al. 2002). It takes
    a hundredth of the time of `choose`, which thins it better.
    """
    return _front_by_front(values, count, _least_crowded)


def crowding_distance(front: np.ndarray) -> np.ndarray:
    """Return how far the neighbours of each row of a front are apart, infinite at its ends.

    Distances are added over the properties, each relative to its range (Deb et al. 2002).
    """
    distance = np.zeros(len(front))
    for column in front.T:
        order = np.argsort(column, kind="stable")
        span = np.ptp(column)
        distance[order[[0, -1]]] = np.inf
        distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / (span or 1.0)
    return distance


def _front_by_front(
    values: np.ndarray, count: int, thinned: Callable[[np.ndarray, int], Sequence[int] | np.ndarray]
) -> np.ndarray:
    """Return `count` rows, whole fronts first; of the last one, the rows that `thinned` keeps."""
    taken = np.zeros(0, dtype=np.intp)
    for front in _fronts(values):
        wanted = count - len(taken)
        if wanted < len(front):
            front = front[thinned(values[front], wanted)]
        taken = np.append(taken, front)
        if len(taken) == count:
            break
    return taken


def _least_crowded(front: np.ndarray, count: int) -> np.ndarray:
    return np.argsort(-crowding_distance(front), kind="stable")[:count]


def _fronts(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows of each front, the non-dominated first."""
    left = np.arange(len(values))
    while len(left):
        first = non_dominated(values[left])
        yield left[first]
        left = left[~first]


def _covering(front: np.ndarray, count: int) -> list[int]:
    """Return `count` rows of a front: the best in each property, then what adds most hypervolume."""
    taken = list(dict.fromkeys(front.argmax(0).tolist()))[:count]
    gains = _PlaneGains(front) if front.shape[1] == 2 else _SampledGains(front)
    for row in taken:
        gains.take(row)
    while len(taken) < count:
        taken.append(gains.largest(taken))
        gains.take(taken[-1])
    return taken


class _PlaneGains:
    """The hypervolume that each row of a front of two properties adds to those taken, exactly."""

    def __init__(self, front: np.ndarray) -> None:
        self.front = front
        self.left = np.full(len(front), front[:, 0].min())
        self.below = np.full(len(front), front[:, 1].min())

    def take(self, row: int) -> None:
        first, second = self.front[row]
        better = self.front[:, 0] >= first
        self.left[better] = np.maximum(self.left[better], first)
        better = self.front[:, 1] >= second
        self.below[better] = np.maximum(self.below[better], second)

    def largest(self, taken: list[int]) -> int:
        gains = (self.front - np.stack([self.left, self.below], axis=1)).prod(1)
        gains[taken] = -1.0
        return int(gains.argmax())


class _SampledGains:
    """The same for any number of properties, as a share of evenly spread points of their box."""

    def __init__(self, front: np.ndarray) -> None:
        import torch

        span = np.ptp(front, axis=0)
        scaled = (front - front.min(0)) / np.where(span > 0, span, 1.0)
        sobol = torch.quasirandom.SobolEngine(front.shape[1], scramble=False)
        # Somewhat below the lowest of the front, what is best in one property alone counts too.
        points = (1 + MARGIN) * sobol.draw(POINTS).numpy() - MARGIN
        self.above = (scaled[:, None] >= points).all(2)
        self.covered = np.zeros(POINTS, dtype=bool)
        self.most = self.above.sum(1)

    def take(self, row: int) -> None:
        self.covered |= self.above[row]

    def largest(self, taken: list[int]) -> int:
        self.most[taken] = -1
        while True:
            # What a row adds only shrinks: the best by old counts, counted anew, leads or yields.
            row = int(self.most.argmax())
            counted = int((self.above[row] & ~self.covered).sum())
            if counted == self.most[row]:
                return row
            self.most[row] = counted


def simplex(properties: int, count: int, seed: int) -> np.ndarray:
    """Return `count x properties` shares that add up to 1, evenly spread, in a seeded order.

    They stand on the lattice of Das & Dennis (1998) that is just fine enough to have as many.
    """
    fine = itertools.count(1)
    parts = next(n for n in fine if math.comb(n + properties - 1, properties - 1) >= count)
    free = itertools.product(range(parts + 1), repeat=properties - 1)
    lattice = (
        np.array([(*shares, parts - sum(shares)) for shares in free if sum(shares) <= parts])
        / parts
    )
    return numpy_generator(seed).permutation(lattice)[:count]


# -- hypervolume --------------------------------------------------------------------------------


def hypervolume(scores: np.ndarray, reference: np.ndarray) -> float:
    """Return the volume between rows of `count x properties` and a reference; more is better.

    It is computed by BoTorch after Fonseca et al. (2006); what is worse than the reference in any
    property adds nothing. Raises DiffusionNAGError where BoTorch is missing.
    """
    require_packages("pareto", "botorch")
    import torch
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    front = np.unique(scores[non_dominated(scores)], axis=0)
    return Hypervolume(torch.from_numpy(reference)).compute(torch.from_numpy(front))
