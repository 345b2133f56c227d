"""Repeated measurements: their means as text, and tests of paired ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from diffusionnag._confidence import interval


def mean_and_std(values: Sequence[float], decimals: int = 2) -> str:
    """Return `mean ± standard deviation` of repeated measurements, `-` where there are none."""
    finite = [value for value in values if np.isfinite(value)]
    if len(finite) < 2:
        return "-"
    return f"{np.mean(finite):.{decimals}f} ± {np.std(finite, ddof=1):.{decimals}f}"


def mean_and_interval(values: np.ndarray, decimals: int = 2) -> str:
    """Return `mean ± half the 95 % interval of the mean` of repeated measurements, `repeats`."""
    return f"{values.mean():.{decimals}f} ± {interval(values):.{decimals}f}"


def p_above_zero(differences: np.ndarray) -> float:
    """Return the p-value of Wilcoxon's signed-rank test that paired differences are not above 0."""
    return _signed_rank(differences, "greater")


def p_not_zero(differences: np.ndarray) -> float:
    """Return the p-value of the same test that paired differences lie on neither side of 0."""
    return _signed_rank(differences, "two-sided")


def _signed_rank(differences: np.ndarray, alternative: str) -> float:
    if not differences.any():
        return 1.0
    _, p = stats.wilcoxon(differences, alternative=alternative)
    return float(p)  # type: ignore[arg-type]
