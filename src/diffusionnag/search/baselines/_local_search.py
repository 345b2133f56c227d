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
        around = [other for other in self.space.neighbours(centre) if other not in taken]
        return around[int(rng.integers(len(around)))]

    def centre(
        self, measured: Sequence[Measured], taken: Collection[Architecture]
    ) -> Architecture | None:
        """Return whose neighbours are to be measured next, None after a local optimum.

        The search is walked through again, trial by trial. What is taken without having a value
        counts as looked at.
        """
        valueless = set(taken) - {trial.architecture for trial in measured}
        values: dict[Architecture, float] = {}
        centre: Architecture | None = None
        around: list[Architecture] = []
        for count, trial in enumerate(measured, start=1):
            values[trial.architecture] = trial.value
            if count < self.starts:
                continue
            if centre is None:
                centre = (
                    max(values, key=values.__getitem__)
                    if count == self.starts
                    else trial.architecture
                )
                around = list(self.space.neighbours(centre))
            while all(neighbour in values or neighbour in valueless for neighbour in around):
                best = max(
                    filter(values.__contains__, around), key=values.__getitem__, default=centre
                )
                if values[best] <= values[centre]:
                    centre = None
                    break
                centre, around = best, list(self.space.neighbours(best))
        return centre
