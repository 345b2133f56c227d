"""Which of several compromises are better: domination, fronts, spread and hypervolume."""

from __future__ import annotations

import numpy as np

from diffusionnag._packages import require_packages


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
    are taken, and then always the one furthest from all that were taken (Gonzalez 1985), distances
    being relative to the range of each property.
    """
    left = np.arange(len(values))
    taken = np.zeros(0, dtype=np.intp)
    while len(taken) < count and len(left):
        first = non_dominated(values[left])
        front, left = left[first], left[~first]
        if len(taken) + len(front) > count:
            front = _spread(values, front, taken, count - len(taken))
        taken = np.append(taken, front)
    return taken


def _spread(values: np.ndarray, front: np.ndarray, taken: np.ndarray, count: int) -> np.ndarray:
    """Return `count` rows of `front` that are far from each other and from the rows `taken`."""
    span = np.ptp(values[np.append(front, taken)], axis=0)
    scaled = values / np.where(span > 0, span, 1.0)
    best = list(dict.fromkeys(front[values[front].argmax(0)].tolist()))[:count]
    distance = np.full(len(front), np.inf)
    for row in (*taken, *best):
        distance = np.minimum(distance, np.linalg.norm(scaled[front] - scaled[row], axis=1))
    # Equal values have distance 0: what is chosen must not come back.
    distance[np.isin(front, best)] = -1.0
    while len(best) < count:
        furthest = int(distance.argmax())
        best.append(int(front[furthest]))
        away = np.linalg.norm(scaled[front] - scaled[front[furthest]], axis=1)
        distance = np.where(distance < 0, distance, np.minimum(distance, away))
        distance[furthest] = -1.0
    return np.array(best)


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
