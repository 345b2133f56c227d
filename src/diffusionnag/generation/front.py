"""Several properties at once: architectures along the front of their best compromises."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation._front_search import climb_to_compromises, evolve_front
from diffusionnag.generation._objective import Goals, Pool
from diffusionnag.generation.best import GRACE, WHOLE, check_request, too_few
from diffusionnag.generation.dominance import choose, hypervolume, non_dominated, survivors
from diffusionnag.generation.samples import Samples
from diffusionnag.guidance import Bound, Property, maximize
from diffusionnag.guidance.feasibility import keep_limits, limits_of, within_limits
from diffusionnag.guidance.terms import Sum
from diffusionnag.networks import can_be_built
from diffusionnag.spaces import Architecture, SearchSpace

FEWEST, MOST = 2, 3
"""Properties that a front has."""
CANDIDATES = 1_000
"""Of so many, or twice as many as are wanted, the handed out are chosen."""
SURVEYED = 1_000
"""Uniform draws, the same in every run, whose worst values a hypervolume is measured from."""


@dataclass(frozen=True)
class Objectives:
    """Two or three properties, each to be raised (positive weight) or lowered (negative).

    Which of two architectures is the better compromise depends on the signs alone, not on the sizes
    of weights. Raises DiffusionNAGError for another number of properties.
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
        return np.stack([each.predict(architectures)[0] for each in self.properties], axis=1)

    def scores(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the properties standardised, more being better, `batch x properties` float64."""
        columns = [each.normal_score(architectures) for each in self.properties]
        return np.stack(columns, axis=1) * self.directions

    def merits(self, architectures: Sequence[Architecture], cautious: float = 0.0) -> np.ndarray:
        """Return the properties in their units, more being better, less `cautious` deviations."""
        predicted = [each.predict(architectures) for each in self.properties]
        pairs = zip(predicted, self.directions, strict=True)
        return np.stack([sign * mean - cautious * std for (mean, std), sign in pairs], axis=1)


@dataclass(frozen=True)
class Front:
    """Where samples stand that are spread along a front, and how it was found."""

    on_front: np.ndarray
    """Which of the samples no candidate dominates, `count` bool."""
    candidates: list[Architecture]
    """What they were chosen from: the first fronts of all that keep the limits."""
    whole: bool
    """Whether every architecture of the space was predicted: then the front is exact."""
    predicted: int
    """How many architectures were predicted, each climb counted by itself."""
    complete: bool
    """Whether the search ended by itself; False if time ran out first."""


def find_front(
    space: SearchSpace,
    count: int,
    objectives: Objectives,
    *,
    limits: Sequence[Bound] = (),
    seconds: float = 1.0,
    cautious: float = 0.0,
    seed: int = 0,
) -> Samples[Front]:
    """Return `count` distinct architectures along the front of two or three properties.

    The best by the first property comes first. A space of up to 30,000 combinations for each of the
    `seconds` is predicted as a whole. In a larger one climbs as those of `find_best` lead to the
    best in each property and to compromises between them, and from there an evolution (NSGA-II, Deb
    et al. 2002) of 120 generations a second fills the front; `choose` takes what is handed out. The
    same seed finds the same, unless three times the `seconds` and more were needed: then
    `details.complete` is False. With `cautious` k, a property counts by its mean less k deviations.

    Raises DiffusionNAGError for a count below 1, seconds that are not above 0, a negative
    `cautious`, properties of another space, limits that nothing keeps, or where fewer than `count`
    are found that keep them.
    """
    check_request(space, count, seconds, 0.0, cautious)
    bounds = limits_of(Sum((*map(maximize, objectives.properties), *limits)), space)
    goals = Goals(space, objectives.properties, objectives.directions, bounds, cautious)
    pool = Pool(goals)
    whole = space.is_enumerable and space.combinations <= WHOLE * seconds
    predicted, complete = 0, True
    if whole:
        for operations in space.enumerate_operations():
            pool.add(operations)
    else:
        end = time.thread_time() + GRACE * (1 + seconds)
        rng = numpy_generator(seed)
        predicted = climb_to_compromises(pool, end, rng)
        complete = evolve_front(pool, count, seconds, end, rng)
    predicted += len(pool)
    kept = np.flatnonzero(pool.shortfall == 0)
    kept = kept[survivors(pool.score[kept], max(CANDIDATES, 2 * count))]
    candidates = space.architectures(pool.operations[kept].astype(np.int64))
    # Near a bound rounding decides, so that the limits are asked themselves.
    within = keep_limits(bounds, candidates)
    keeps = can_be_built(space, candidates) & within
    candidates, scores = list(itertools.compress(candidates, keeps)), pool.score[kept[keeps]]
    if len(candidates) < count:
        raise too_few(goals, len(candidates), count, 0.0, whole)
    merits = objectives.merits(candidates, cautious)
    chosen = choose(scores, count)
    chosen = chosen[np.lexsort(merits[chosen].T[::-1])[::-1]]
    on_front = non_dominated(merits)[chosen]
    details = Front(on_front, candidates, whole, predicted, complete)
    unbuildable = int((within & ~keeps).sum())
    return Samples([candidates[row] for row in chosen], [], 0, details, unbuildable)


@dataclass(frozen=True)
class FrontComparison:
    """Hypervolumes of generated architectures and of uniform random ones that keep the limits.

    They are measured, predicted and standardised, from the worst values of SURVEYED uniform draws:
    `reference`, in the properties' units.
    """

    generated: float
    uniform: float
    reference: np.ndarray
    random: list[Architecture]
    """Those of the surveyed that keep the limits."""


def compare_fronts(
    space: SearchSpace,
    objectives: Objectives,
    samples: Samples[Front],
    limits: Sequence[Bound],
    seed: int,
) -> FrontComparison:
    """Return how the front of samples of a space compares with as many uniform draws of that seed.

    Raises DiffusionNAGError where BoTorch is missing.
    """
    surveyed = space.sample(SURVEYED, 0)
    worst = objectives.scores(surveyed).min(0)
    values = objectives.values(surveyed)
    better = np.array(objectives.directions) > 0
    uniform = within_limits(limits, space.sample(len(samples), seed))
    return FrontComparison(
        hypervolume(objectives.scores(samples), worst),
        hypervolume(objectives.scores(uniform), worst),
        np.where(better, values.min(0), values.max(0)),
        within_limits(limits, surveyed),
    )
