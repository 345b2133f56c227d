"""Local search: measure all neighbours, move to the best one, until none is better."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.search.proposers import draw_untaken
from diffusionnag.search.trials import Measured
from diffusionnag.spaces import Architecture, SearchSpace

STARTS = 10
"""Uniform draws, the best of which is climbed from first."""


@dataclass(frozen=True)
class LocalSearch:
    """Climbs from the best of the first `starts` measured, then from one uniform draw after another.

    All neighbours, which differ in one operation, are measured before it moves to the best of them;
    where none is better it starts anew. Source: White, Nolen & Savani 2021 (Exploring the Loss
    Landscape in Neural Architecture Search).
    """

    space: SearchSpace
    starts: int = STARTS

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return a neighbour of where the search stands that is not taken, or a new start."""
        centre = self.centre(measured, taken)
        if centre is None:
            return draw_untaken(self.space, taken, rng)
        around = [one for one in self.space.neighbours(centre) if one not in taken]
        return around[int(rng.integers(len(around)))]

    def centre(
        self, measured: Sequence[Measured], taken: Collection[Architecture]
    ) -> Architecture | None:
        """Return whose neighbours are to be measured next, None after a local optimum.

        The search is walked through again, trial by trial. What is taken without having a value
        counts as looked at.
        """
        valueless = set(taken) - {one.architecture for one in measured}
        values: dict[Architecture, float] = {}
        centre: Architecture | None = None
        around: list[Architecture] = []
        for count, one in enumerate(measured, start=1):
            values[one.architecture] = one.value
            if count < self.starts:
                continue
            if centre is None:
                centre = (
                    max(values, key=values.__getitem__)
                    if count == self.starts
                    else one.architecture
                )
                around = list(self.space.neighbours(centre))
            while all(one in values or one in valueless for one in around):
                best = max(
                    (one for one in around if one in values), key=values.__getitem__, default=centre
                )
                if values[best] <= values[centre]:
                    centre = None
                    break
                centre, around = best, list(self.space.neighbours(best))
        return centre
