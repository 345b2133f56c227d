"""Several properties at once: architectures along the front of their best compromises."""

from __future__ import annotations

import importlib.util
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffusionnag._seeds import numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.generator import BATCH, Generator
from diffusionnag.guidance import Bound, Property, maximize
from diffusionnag.guidance.terms import RowWeights, Sum
from diffusionnag.spaces import Architecture

FEWEST, MOST = 2, 3
"""Properties that a front has."""
FEWEST_ROWS = 128
"""A smaller batch costs hardly less time, and leaves fewer compromises to choose from."""
DRAWS = 4
"""Draws for each architecture wanted, before the best are chosen."""


@dataclass(frozen=True)
class Objectives:
    """Two or three properties, each to be raised (positive weight) or lowered (negative).

    The size of a weight scales how hard the generation is pulled; which of two architectures is
    the better compromise depends on the signs alone. Raises DiffusionNAGError for another number of
    properties.
    """

    properties: tuple[Property, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not FEWEST <= len(self.properties) <= MOST:
            raise DiffusionNAGError(
                f"a front of compromises is between 2 or 3 properties, not {len(self.properties)}"
            )
        if len(self.weights) != len(self.properties) or 0 in self.weights:
            raise DiffusionNAGError("each property of a front needs a weight other than 0")

    @property
    def directions(self) -> tuple[int, ...]:
        """Which way each property is better: +1 for more, -1 for less."""
        return tuple(1 if weight > 0 else -1 for weight in self.weights)

    def values(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the predicted properties in their units, `batch x properties` float64."""
        return np.stack([one.predict(architectures)[0] for one in self.properties], axis=1)

    def scores(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the properties standardised, more being better, `batch x properties` float64."""
        columns = [one.normal_score(architectures) for one in self.properties]
        return np.stack(columns, axis=1) * self.directions

    def guidance(self, rows: int, seed: int) -> Sum:
        """Return guidance that pulls each of `rows` architectures in a direction of its own.

        On average each property is pulled as hard as if it were the only guide.
        """
        properties = len(self.properties)
        shares = properties * torch.from_numpy(simplex(properties, rows, seed)).float()
        pairs = zip(self.properties, self.weights, shares.T, strict=True)
        return Sum(tuple(RowWeights(maximize(one, weight), share) for one, weight, share in pairs))


@dataclass(frozen=True)
class Front:
    """Distinct architectures spread along a front, the best by the first property first."""

    architectures: list[Architecture]
    on_front: np.ndarray
    """Which of them no generated architecture dominates, `count` bool."""
    candidates: list[Architecture]
    """All that they were chosen from: valid, distinct, within the limits."""
    drawn: list[Architecture]
    """All that left the solver, repeated and invalid ones included."""
    rejected: int
    """How many valid ones were drawn that break a limit."""


def generate_front(
    generator: Generator,
    count: int,
    objectives: Objectives,
    *,
    limits: Sequence[Bound] = (),
    solver: str | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> Front:
    """Generate `count` distinct valid architectures along the front of two or three properties.

    The architectures of a batch are pulled in evenly spread directions, from the one property to
    the other; from four times as many as wanted, or more, `choose` takes what it hands out. Raises
    DiffusionNAGError for whatever `Generator.sample` does.
    """
    rows = min(max(count, FEWEST_ROWS), BATCH)
    pulls = objectives.guidance(rows, seed)
    guide = Sum((*pulls.terms, *limits))
    collection = generator.collect(count, guide=guide, distinct=True)
    batches = generator.stream(guide=guide, solver=solver, steps=steps, seed=seed, batch=rows)
    while len(collection.drawn) < DRAWS * max(count, rows) or not collection.complete:
        collection.add(next(batches))
    values = objectives.values(collection.kept) * objectives.directions
    chosen = choose(values, count)
    chosen = chosen[np.lexsort(values[chosen].T[::-1])[::-1]]
    return Front(
        [collection.kept[row] for row in chosen],
        non_dominated(values)[chosen],
        collection.kept,
        collection.drawn,
        collection.rejected,
    )


def simplex(properties: int, count: int, seed: int) -> np.ndarray:
    """Return `count x properties` shares that add up to 1, evenly spread, in a seeded order.

    They stand on the lattice of Das & Dennis (1998) that is just fine enough to have as many.
    """
    fine = itertools.count(1)
    parts = next(n for n in fine if math.comb(n + properties - 1, properties - 1) >= count)
    free = itertools.product(range(parts + 1), repeat=properties - 1)
    lattice = np.array([(*one, parts - sum(one)) for one in free if sum(one) <= parts]) / parts
    return numpy_generator(seed).permutation(lattice)[:count]


def non_dominated(values: np.ndarray) -> np.ndarray:
    """Return which rows of `count x properties` no other dominates, `count` bool; more is better.

    One dominates another if it is at least as good in every property and better in one.
    """
    found = np.zeros(len(values), dtype=bool)
    # Of what is left, the one with the best first value, then second, is dominated by none.
    left = np.lexsort(values.T[::-1])[::-1]
    while len(left):
        best = values[left[0]]
        rest = values[left]
        found[left[(rest == best).all(1)]] = True
        left = left[(rest > best).any(1)]
    return found


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


def check_hypervolume() -> None:
    """Raise DiffusionNAGError where BoTorch, which computes hypervolumes, is missing."""
    if importlib.util.find_spec("botorch") is None:
        raise DiffusionNAGError("a hypervolume needs BoTorch: pip install 'diffusionnag[pareto]'")


def hypervolume(scores: np.ndarray, reference: np.ndarray) -> float:
    """Return the volume between rows of `count x properties` and a reference; more is better.

    It is computed by BoTorch after Fonseca et al. (2006); what is worse than the reference in any
    property adds nothing. Raises DiffusionNAGError where BoTorch is missing.
    """
    check_hypervolume()
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    front = np.unique(scores[non_dominated(scores)], axis=0)
    return Hypervolume(torch.from_numpy(reference)).compute(torch.from_numpy(front))
