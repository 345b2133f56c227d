"""Collecting what a generator draws until there is enough of what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import NamedTuple

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation._corrector import corrected
from diffusionnag.generation.samples import Samples
from diffusionnag.guidance import Bound, Guidance
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.guidance.terms import Ceiling, merit
from diffusionnag.networks import can_be_built
from diffusionnag.spaces import Architecture, SearchSpace

FRUITLESS_BATCHES = 20
"""Batches in a row without anything new before a collection is given up."""
SURVEYED = 4_096
"""Uniform draws on which it is measured how rare what a guide asks for is."""
FEWEST_SURVEYED = 10
"""So many of the surveyed must be wanted, or the space has more good ones than can run out."""
CEILING_SLACK = 1.25
"""How many architectures lie above the ceiling, for each one that is wanted."""
SPARE = 1.1
"""How many are collected above the ceiling, for each one that is wanted; the best are kept."""
DISTINCT_STRENGTH = 2.0
"""Below a ceiling steepness costs no diversity."""
DRAWS_FOR_DISTINCT = 8
"""Draws, for each distinct architecture wanted, after which those below the ceiling will do."""


class Sifted(NamedTuple):
    """What serves of a batch, and how many of its valid architectures do not, and why."""

    kept: list[Architecture]
    rejected: int
    """Beyond a limit."""
    unbuildable: int
    """Within the limits, but a user's own builder makes no network of them."""


def sift(space: SearchSpace, limits: Sequence[Bound], valid: Sequence[Architecture]) -> Sifted:
    """Return what of valid architectures is within the limits and has a network."""
    within = within_limits(limits, valid)
    kept = list(compress(within, can_be_built(space, within)))
    return Sifted(kept, len(valid) - len(within), len(within) - len(kept))


@dataclass(frozen=True, eq=False)
class Aim:
    """What distinct architectures are collected for: as many as are wanted above the ceiling."""

    guide: Guidance
    """As it was given."""
    capped: Guidance
    """The same, its reward ending at the ceiling."""
    ceiling: float
    """A log-likelihood of `guide`."""
    rng: np.random.Generator

    def raised(self, space: SearchSpace, valid: list[Architecture]) -> list[Architecture]:
        """Return valid architectures, those below the ceiling corrected under the capped guide."""
        if not valid:
            return valid
        below = merit(self.guide, space, valid) < self.ceiling
        higher = iter(corrected(self.capped, space, list(compress(valid, below)), self.rng))
        return [next(higher) if low else each for low, each in zip(below, valid, strict=True)]


@dataclass
class Collection:
    """Architectures being collected: valid, within the limits, all different if `distinct`."""

    space: SearchSpace
    count: int
    distinct: bool
    limits: list[Bound]
    kept: list[Architecture] = field(default_factory=list)
    drawn: list[Architecture] = field(default_factory=list)
    rejected: int = 0
    unbuildable: int = 0
    _aim: Aim | None = None
    _merits: list[float] = field(default_factory=list)
    _seen: set[Architecture] = field(default_factory=set)
    _fruitless: int = 0

    def aim_at_the_best(self, guide: Guidance, seed: int) -> Guidance:
        """Return guidance for distinct architectures; from then on the best by `guide` are kept.

        Its reward ends at the level that somewhat more architectures than are wanted reach: without
        that, strong guidance keeps returning to the few best, and weak guidance lets the mediocre
        in. In a space that has plenty, it is the guide as given.
        """
        share = CEILING_SLACK * self.count / self.space.size
        if share * SURVEYED < FEWEST_SURVEYED:
            return guide
        surveyed = merit(guide, self.space, self.space.sample(SURVEYED, 0))
        spread = float(surveyed.std())
        if spread == 0:
            return guide
        ceiling = float(np.quantile(surveyed, 1 - min(share, 0.5)))
        capped = DISTINCT_STRENGTH * Ceiling(guide, ceiling, spread)
        self._aim = Aim(guide, capped, ceiling, numpy_generator(seed))
        return capped

    @property
    def complete(self) -> bool:
        """Whether nothing more needs to be drawn."""
        if len(self.kept) < self.count:
            return False
        if self._aim is None:
            return True
        above = sum(merit >= self._aim.ceiling for merit in self._merits)
        return above >= SPARE * self.count or len(self.drawn) >= DRAWS_FOR_DISTINCT * self.count

    def add(self, batch: list[Architecture], mended: Sequence[Architecture] = ()) -> None:
        """Keep what serves of a batch, and of what stands in for its invalid ones.

        Raises DiffusionNAGError once there is no hope of enough.
        """
        self.drawn += batch
        valid = [*filter(self.space.is_valid, batch), *mended]
        if self._aim is not None:
            valid = self._aim.raised(self.space, valid)
        good, rejected, unbuildable = sift(self.space, self.limits, valid)
        self.rejected += rejected
        self.unbuildable += unbuildable
        if self.distinct:
            good = [new for new in dict.fromkeys(good) if new not in self._seen]
            self._seen.update(good)
        self.kept += good
        if good and self._aim is not None:
            self._merits += merit(self._aim.guide, self.space, good).tolist()
        else:
            self._merits += [0.0] * len(good)
        self._fruitless = 0 if good else self._fruitless + 1
        if self._fruitless == FRUITLESS_BATCHES and len(self.kept) < self.count:
            raise self._given_up()

    def samples(self) -> Samples[None]:
        """Return as many as were wanted, in the order in which they were drawn."""
        order = np.argsort(-np.array(self._merits), kind="stable")[: self.count]
        kept = [self.kept[row] for row in sorted(order)]
        return Samples(kept, self.drawn, self.rejected, None, self.unbuildable)

    def _given_up(self) -> DiffusionNAGError:
        kept, drawn, count = len(self.kept), len(self.drawn), self.count
        if self.rejected > 0.9 * drawn:
            limits = " and ".join(limit.describe() for limit in self.limits)
            return DiffusionNAGError(
                f"only {kept} of {drawn} generated architectures keep {limits}, and {count} are "
                "wanted; loosen a limit, lower the weights of the guides, or ask for fewer"
            )
        if self.unbuildable > 0.9 * drawn:
            return DiffusionNAGError(
                f"the networks of only {kept} of {drawn} generated architectures can be built, and "
                f"{count} are wanted; `diffusionnag check` tells what fails"
            )
        if not self.distinct or kept == 0:
            return DiffusionNAGError(
                f"only {kept} of {drawn} generated architectures are valid, and {count} are "
                "wanted; train the generator longer, take more solver steps, or lower the guide's "
                "weight"
            )
        return DiffusionNAGError(
            f"only {kept} of {count} distinct architectures were found in {drawn} draws, and the "
            "same ones keep coming back; lower the guide's weight, or ask for fewer"
        )
