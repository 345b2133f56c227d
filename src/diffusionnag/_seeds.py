"""Seeds: from what a user writes to the generators that draw."""

from __future__ import annotations

import numpy as np

from diffusionnag.errors import DiffusionNAGError

Seed = int | np.random.Generator
LARGEST_SEED = 2**40


def check_seed(seed: int) -> int:
    """Return a seed if every generator can take it; raises DiffusionNAGError otherwise."""
    if not 0 <= seed <= LARGEST_SEED:
        raise DiffusionNAGError(f"the seed {seed} is not between 0 and {LARGEST_SEED}")
    return seed


def numpy_generator(seed: Seed) -> np.random.Generator:
    """Return a NumPy generator for a seed, or the given one itself."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(check_seed(seed))
