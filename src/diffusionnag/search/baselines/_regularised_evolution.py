"""Regularised evolution (REA): the oldest die, not the worst."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.search.proposers import draw_untaken
from diffusionnag.search.trials import Measured
from diffusionnag.spaces import Architecture, SearchSpace

POPULATION = 10
CONTESTANTS = 3
"""Sizes of population and tournament for NAS-Bench-201 (Dong & Yang 2020)."""
TOURNAMENTS = 100
"""Children that have been measured already before a uniform draw takes their place."""


@dataclass(frozen=True)
class RegularisedEvolution:
    """Mutates the best of a few random members of the latest measured (Real et al. 2019).

    The population is the last `population` measured; it starts with the warm-up.
    """

    space: SearchSpace
    population: int = POPULATION
    contestants: int = CONTESTANTS

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return a mutated tournament winner that is not taken."""
        population = measured[-self.population :]
        for _ in range(TOURNAMENTS):
            rows = rng.integers(len(population), size=self.contestants)
            parent = max((population[row] for row in rows), key=lambda contestant: contestant.value)
            child = self.space.mutate(parent.architecture, rng)
            if child not in taken:
                return child
        return draw_untaken(self.space, taken, rng)
