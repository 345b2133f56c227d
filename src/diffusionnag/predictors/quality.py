"""How good predictions are: error, rank correlations, and whether the stated spread is honest."""

from __future__ import annotations

import numpy as np

KENDALL_PAIRS = 2_000


def prediction_quality(mean: np.ndarray, std: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return measures of predictions (`count`, with standard deviation) against true values.

    Errors are in the property's unit; a rank correlation is NaN where all predictions are the same.
    """
    error = np.abs(mean - true)
    return {
        "mean absolute error": float(error.mean()),
        "root mean squared error": float(np.sqrt(np.square(error).mean())),
        "Spearman": spearman(mean, true),
        "Kendall": kendall(mean, true),
        "share within one standard deviation": float((error <= std).mean()),
        "share within two standard deviations": float((error <= 2 * std).mean()),
    }


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's rank correlation of two arrays `count`; ties share their mean rank."""
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef(mean_ranks(a), mean_ranks(b))[0, 1])


def kendall(a: np.ndarray, b: np.ndarray) -> float:
    """Return Kendall's tau-b of two arrays `count`, over at most 2,000 of their entries."""
    chosen = np.random.default_rng(0).permutation(len(a))[:KENDALL_PAIRS]
    signs_a = np.sign(a[chosen][:, None] - a[chosen])
    signs_b = np.sign(b[chosen][:, None] - b[chosen])
    pairs = np.sqrt((signs_a**2).sum() * (signs_b**2).sum())
    return float((signs_a * signs_b).sum() / pairs) if pairs else float("nan")


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Return each value's rank from 0, `count` float64; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * (counts + 1))[inverse]
