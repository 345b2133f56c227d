"""The scale on which a property is learnt: ranks turned into a normal distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

KNOTS = 513
WIDEST = 8.0
"""No normal score is further out."""
NORMAL_QUARTILES = 1.349
"""Distance between the quartiles of a standard normal variable."""


@dataclass(frozen=True)
class RankGaussian:
    """A monotone map between a property and a standard normal variable, linear between knots.

    Accuracies have a heavy lower tail (cells at chance level) that would dominate a squared error;
    their ranks have none.
    """

    values: np.ndarray
    normal: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, magnitude: float = 0.0, *, knots: int = KNOTS) -> RankGaussian:
        """Return the map under which these values (`count`, finite) are standard normal.

        A `magnitude` above 0 mixes in so much of their own distances: those below the median on a
        logarithmic scale, so that the lower tail stays short.
        """
        distinct, counts = np.unique(values, return_counts=True)
        middle_rank = np.cumsum(counts) - 0.5 * counts
        normal = _normal_quantile(middle_rank / len(values))
        if magnitude:
            normal = (1 - magnitude) * normal + magnitude * _short_tailed(values, distinct)
        if len(distinct) > knots:
            chosen = np.unique(np.linspace(0, len(distinct) - 1, knots).round().astype(int))
            distinct, normal = distinct[chosen], normal[chosen]
        return cls(distinct.astype(np.float64), normal.astype(np.float64))

    @classmethod
    def identity(cls) -> RankGaussian:
        """Return the map of what is a standard normal variable already."""
        ends = np.array([-WIDEST, WIDEST])
        return cls(ends, ends.copy())

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> RankGaussian:
        """Return the map that a checkpoint holds; raises ValueError where it is none."""
        values, normal = (weights[f"target.{name}"].numpy() for name in ("values", "normal"))
        if values.ndim != 1 or values.shape != normal.shape or not (np.diff(values) > 0).all():
            raise ValueError("target.values do not rise")
        return cls(values, normal)

    def to_normal(self, values: np.ndarray) -> np.ndarray:
        """Return the standardised property; beyond the values seen it goes on in a straight line."""
        inside = np.interp(values, self.values, self.normal)
        spread = self.values[-1] - self.values[0]
        slope = (self.normal[-1] - self.normal[0]) / spread
        beyond = values - np.clip(values, self.values[0], self.values[-1])
        return inside + slope * beyond

    def to_value_spread(self, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Return what a deviation around a normal score is in the property's unit, each `batch`.

        Half the distance between the values one deviation below and above; where the values seen
        end in between, the whole distance on the other side; beyond them, what the deviation is in a
        straight line.
        """
        middle = self.to_value(centre)
        below, above = (self.to_value(centre + sign * spread) for sign in (-1, 1))
        inside_below = centre - spread >= self.normal[0]
        inside_above = centre + spread <= self.normal[-1]
        inside = (centre <= self.normal[-1]) & (centre >= self.normal[0])
        slope = np.ptp(self.values) / np.ptp(self.normal)
        return np.select(
            [~inside, inside_below & ~inside_above, inside_above & ~inside_below],
            [slope * spread, middle - below, above - middle],
            0.5 * (above - below),
        )

    def to_value(self, normal: np.ndarray) -> np.ndarray:
        """Return the property in its own unit, held constant beyond the values seen."""
        return np.interp(normal, self.normal, self.values)


def _short_tailed(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return `at` in units of how `values` spread, logarithmic below the median, mean 0, deviation 1."""
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    spread = (upper - lower) / NORMAL_QUARTILES or np.ptp(values)

    def scaled(raw: np.ndarray) -> np.ndarray:
        above = (raw - median) / spread
        return np.where(above < 0, -np.log1p(-np.minimum(above, 0)), above)

    return (scaled(at) - scaled(values).mean()) / scaled(values).std()


def _normal_quantile(probability: np.ndarray) -> np.ndarray:
    return torch.special.ndtri(torch.from_numpy(probability)).numpy()
