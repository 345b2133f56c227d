"""Predictions of architectures that were held out, from which a predictor's quality is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag._seeds import Seed, numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.tables.measurements import FEWEST_ARCHITECTURES

MOST_CROSS_VALIDATED = 3_000
"""Above so many architectures one held-out tenth tells enough, and fitting every fold takes long."""
HELD_OUT_SHARE = 0.1

Predict = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Fits on the rows given first, and returns mean and standard deviation of the rows given second."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Measured values, and their predictions by predictors that had not seen them, each `count`."""

    true: np.ndarray
    mean: np.ndarray
    std: np.ndarray


def held_out_parts(count: int, folds: int, seed: Seed) -> list[np.ndarray]:
    """Return the rows of `count` that are held out together, part by part.

    The parts are `folds` equal ones that make up all rows. They are more where the rest would be
    too few to learn from, at most one a row, and none if even that leaves too few. Above 3,000
    rows there is one part, a tenth. Raises DiffusionNAGError for fewer than 2 folds.
    """
    if folds < 2:
        raise DiffusionNAGError(f"{folds} folds cannot be held out in turn; ask for 2 or more")
    order = numpy_generator(seed).permutation(count)
    if count > MOST_CROSS_VALIDATED:
        return [order[: round(HELD_OUT_SHARE * count)]]
    spare = count - FEWEST_ARCHITECTURES
    if spare < 1:
        return []
    return np.array_split(order, max(min(folds, count), math.ceil(count / spare)))


def predict_held_out(predict: Predict, values: np.ndarray, parts: Sequence[np.ndarray]) -> HeldOut:
    """Return the predictions of each part, one after the other, by what was fitted on the rest.

    `values` are the measured ones, one a row, in the property's unit.
    """
    mean, std = np.full((2, len(values)), np.nan)
    for part in parts:
        rest = np.setdiff1d(np.arange(len(values)), part)
        if np.ptp(values[rest]) == 0:
            # Where a property is nearly always the same, its other values may all be held out.
            mean[part], std[part] = values[rest[0]], 0.0
        else:
            mean[part], std[part] = predict(rest, part)
    rows = np.array([row for part in parts for row in part], dtype=np.intp)
    return HeldOut(values[rows], mean[rows], std[rows])
