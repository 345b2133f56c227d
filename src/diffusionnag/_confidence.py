"""How sure a mean of repeated measurements is."""

from __future__ import annotations

import numpy as np

CONFIDENCE = 0.95


def interval(samples: np.ndarray) -> np.ndarray:
    """Return half the width of the 95 % interval of the mean of `samples x any`, `any`.

    By Student's t; NaN with fewer than two samples.
    """
    count = len(samples)
    if count < 2:
        return np.full(samples.shape[1:], np.nan)
    from scipy import stats

    factor = stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)
    return factor * samples.std(axis=0, ddof=1) / np.sqrt(count)
