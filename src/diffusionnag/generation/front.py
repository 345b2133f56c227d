"""Several properties at once: architectures along the front of their best compromises."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffusionnag._devices import torch_defaults
from diffusionnag._seeds import numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.dominance import choose, hypervolume, non_dominated
from diffusionnag.generation.generator import BATCH, Generator
from diffusionnag.generation.samples import Samples
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Bound, Property, maximize
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.guidance.terms import RowWeights, Sum
from diffusionnag.spaces import Architecture

FEWEST, MOST = 2, 3
"""Properties that a front has."""
FEWEST_ROWS = 128
"""A smaller batch costs hardly less time, and leaves fewer compromises to choose from."""
DRAWS = 4
"""Draws for each architecture wanted, before the best are chosen."""
SURVEYED = 1_000
"""Uniform draws, the same in every run, whose worst values a hypervolume is measured from."""


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
        return np.stack([each.predict(architectures)[0] for each in self.properties], axis=1)

    def scores(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the properties standardised, more being better, `batch x properties` float64."""
        columns = [each.normal_score(architectures) for each in self.properties]
        return np.stack(columns, axis=1) * self.directions

    def guidance(self, rows: int, seed: int) -> Sum:
        """Return guidance that pulls each of `rows` architectures in a direction of its own.

        On average each property is pulled as hard as if it were the only guide.
        """
        properties = len(self.properties)
        shares = properties * torch.from_numpy(simplex(properties, rows, seed)).float()
        pairs = zip(self.properties, self.weights, shares.T, strict=True)
        return Sum(
            tuple(RowWeights(maximize(each, weight), share) for each, weight, share in pairs)
        )


@dataclass(frozen=True)
class Front:
    """Where samples stand that are spread along a front."""

    on_front: np.ndarray
    """Which of the samples no generated architecture dominates, `count` bool."""
    candidates: list[Architecture]
    """All that they were chosen from: valid, distinct, within the limits."""


@torch_defaults()
def generate_front(
    generator: Generator,
    count: int,
    objectives: Objectives,
    *,
    limits: Sequence[Bound] = (),
    sampling: Sampling = Sampling(),
) -> Samples[Front]:
    """Generate `count` distinct valid architectures along the front of two or three properties.

    The best by the first property comes first. The architectures of a batch are pulled in evenly
    spread directions, from the one property to the other; from four times as many as wanted, or
    more, `choose` takes what it hands out. Raises DiffusionNAGError for whatever `Generator.sample`
    does.
    """
    rows = min(max(count, FEWEST_ROWS), BATCH)
    pulls = objectives.guidance(rows, sampling.seed)
    guide = Sum((*pulls.terms, *limits))
    collection = generator.collect(count, guide=guide, distinct=True)
    batches = generator.estimates(guide=guide, sampling=sampling, batch=rows)
    while len(collection.drawn) < DRAWS * max(count, rows) or not collection.complete:
        collection.add(generator.search_space.decode(next(batches)))
    candidates = collection.kept
    values = objectives.values(candidates) * objectives.directions
    chosen = choose(values, count)
    chosen = chosen[np.lexsort(values[chosen].T[::-1])[::-1]]
    return Samples(
        [candidates[row] for row in chosen],
        collection.drawn,
        collection.rejected,
        Front(non_dominated(values)[chosen], candidates),
    )


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
    objectives: Objectives, samples: Samples[Front], limits: Sequence[Bound], seed: int
) -> FrontComparison:
    """Return how the front of samples compares with as many uniform draws of that seed.

    Raises DiffusionNAGError where BoTorch is missing.
    """
    space = objectives.properties[0].search_space
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
