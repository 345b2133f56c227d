"""Which examples are trained on, and which are held out."""

from __future__ import annotations

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.errors import DiffusionNAGError

HELD_OUT_SHARE = 0.1
"""Of the examples of a data set that comes without a part for testing."""


def split_rows(
    count: int, others: int | None, subset: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the examples to train on, and of those held out, in random order.

    Those held out are a tenth, or all of `others` in a set of their own. Raises DiffusionNAGError
    where too few are left.
    """
    rng = numpy_generator(seed)
    order = rng.permutation(count)[:subset]
    if len(order) < 2:
        raise DiffusionNAGError(f"{len(order)} examples are too few to train on")
    if others is not None:
        return order, rng.permutation(others)[:subset]
    held_out = max(1, round(HELD_OUT_SHARE * len(order)))
    return order[held_out:], order[:held_out]
