"""Random search: what every searcher has to beat."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.search.proposers import draw_untaken
from diffusionnag.search.trials import Measured
from diffusionnag.spaces import Architecture, SearchSpace


@dataclass(frozen=True)
class RandomSearch:
    """Proposes uniform draws (Bergstra & Bengio 2012)."""

    space: SearchSpace

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return a uniform draw that is not taken."""
        return draw_untaken(self.space, taken, rng)
