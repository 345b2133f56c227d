"""Properties that follow from the architecture alone, as guides without any training."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance.properties import Property
from diffusionnag.spaces import Architecture, SearchSpace

CHECKED = 256
"""Architectures, other than those it was made from, on which a relaxation is checked."""
TOLERANCE = 1e-6
"""Largest error of a relaxation at one-hot input, relative to the property's spread."""
SMALLEST_VARIANCE = 1e-12
"""Of a group of nodes; the square root has no slope at 0."""


class AnalyticProperty(Property):
    """An analytic property of a space, such as its parameters, relaxed to operation probabilities.

    The relaxation is a sum over the space's `interactions` (groups of nodes) of the expected
    contribution of each: it is multilinear, and exact at one-hot input. The contributions are found
    from random architectures by least squares, and checked on others. Raises DiffusionNAGError
    where the space has no such property, or it is no such sum.
    """

    def __init__(self, search_space: SearchSpace, property_name: str) -> None:
        self.search_space = search_space
        self.property_name = property_name
        known = search_space.analytic_properties(search_space.sample(1, 0)[0])
        if property_name not in known:
            has = ", ".join(known) or "none"
            raise DiffusionNAGError(
                f"{search_space.name} has no analytic property {property_name!r}; it has {has}"
            )
        self._groups = search_space.interactions()
        self._combinations = [self._possible(group) for group in self._groups]
        columns = sum(map(len, self._combinations))
        drawn = search_space.sample(4 * columns + CHECKED, 1)
        values, _ = self.predict(drawn)
        features = self._expand(torch.from_numpy(search_space.encode(drawn)).double()).numpy()
        seen = slice(CHECKED, None)
        self._mean, self._spread = float(values.mean()), float(values.std())
        if self._spread == 0:
            raise DiffusionNAGError(
                f"{property_name} is {self._mean:g} all over {search_space.name}: nothing to guide"
            )
        standard = (values - self._mean) / self._spread
        weights = np.linalg.lstsq(features[seen], standard[seen], rcond=None)[0]
        error = np.abs(features[:CHECKED] @ weights - standard[:CHECKED]).max()
        if error > TOLERANCE:
            raise DiffusionNAGError(
                f"{property_name} of {search_space.name} is no sum over its groups of nodes (off by "
                f"{error * self._spread:.2g}); declare which nodes act together by `interactions`, "
                "or fit a PropertyPredictor on computed values"
            )
        self._weights = torch.from_numpy(weights)

    def _possible(self, group: tuple[int, ...]) -> list[tuple[int, ...]]:
        allowed = [np.flatnonzero(self.search_space.allowed[node]).tolist() for node in group]
        return list(itertools.product(*allowed))

    def _expand(self, x: Tensor) -> Tensor:
        """Return the probability of each combination of each group, `batch x columns`."""
        found = []
        for group, combinations in zip(self._groups, self._combinations, strict=True):
            chosen = torch.tensor(combinations, device=x.device)
            each = [x[:, node, chosen[:, place]] for place, node in enumerate(group)]
            found.append(functools.reduce(torch.mul, each))
        return torch.cat(found, dim=1)

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and deviation, standardised, over independent draws of operations, `batch`.

        At one-hot input the mean is the exact value and the deviation 0.
        """
        weights = self._weights.to(x)
        probability = self._expand(x)
        sizes = [len(combinations) for combinations in self._combinations]
        means = [part.sum(1) for part in (probability * weights).split(sizes, dim=1)]
        squares = [part.sum(1) for part in (probability * weights**2).split(sizes, dim=1)]
        mean, square = torch.stack(means), torch.stack(squares)
        variance = (square - mean**2).clamp(min=SMALLEST_VARIANCE).sum(0)
        return mean.sum(0), variance.sqrt()

    def to_standard(self, value: float) -> float:
        """Return a value of the property standardised: minus its mean, over its spread."""
        return (value - self._mean) / self._spread

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact values, and deviations of 0, each `batch` float64."""
        space, name = self.search_space, self.property_name
        values = [space.analytic_properties(architecture)[name] for architecture in architectures]
        return np.array(values, dtype=np.float64), np.zeros(len(values))
