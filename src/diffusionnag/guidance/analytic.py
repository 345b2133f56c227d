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


def analytic_names(space: SearchSpace) -> list[str]:
    """Return the properties of a space that follow from the architecture alone."""
    return list(space.analytic_properties(space.sample(1, 0)[0]))


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
        known = analytic_names(search_space)
        if property_name not in known:
            has = ", ".join(known) or "none"
            raise DiffusionNAGError(
                f"{search_space.name} has no analytic property {property_name!r}; it has {has}"
            )
        self._factors, self._of_group = self._columns()
        columns = len(self._of_group)
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

    def _columns(self) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        """Return the nodes and operations of every combination, and the group that each is of.

        Groups of one size go together: `size x columns` indices each; then `columns x groups`.
        """
        space, factors, numbers = self.search_space, [], []
        groups = sorted(space.interactions(), key=len)
        for _, same in itertools.groupby(enumerate(groups), key=lambda numbered: len(numbered[1])):
            nodes, operations = [], []
            for number, group in same:
                allowed = [np.flatnonzero(space.allowed[node]).tolist() for node in group]
                combinations = list(itertools.product(*allowed))
                operations += combinations
                nodes += [group] * len(combinations)
                numbers += [number] * len(combinations)
            factors.append((torch.tensor(nodes).T, torch.tensor(operations).T))
        return factors, torch.eye(len(groups), dtype=torch.float64)[numbers]

    def _expand(self, x: Tensor) -> Tensor:
        """Return the probability of each combination of each group, `batch x columns`."""
        columns = []
        for nodes, operations in self._factors:
            each = [x[:, nodes[place], operations[place]] for place in range(len(nodes))]
            columns.append(functools.reduce(torch.mul, each))
        return torch.cat(columns, dim=1)

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the expected value alone, standardised, `batch`, differentiable in x."""
        return self._expand(x) @ self._weights.to(x)

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and deviation, standardised, over independent draws of operations, `batch`.

        At one-hot input the mean is the exact value and the deviation 0.
        """
        weights, of_group = self._weights.to(x), self._of_group.to(x)
        probability = self._expand(x)
        mean = (probability * weights) @ of_group
        variance = (probability * weights**2) @ of_group - mean**2
        return mean.sum(1), variance.clamp(min=SMALLEST_VARIANCE).sum(1).sqrt()

    def to_standard(self, value: float) -> float:
        """Return a value of the property standardised: minus its mean, over its spread."""
        return (value - self._mean) / self._spread

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact values, and deviations of 0, each `batch` float64."""
        space, name = self.search_space, self.property_name
        values = [space.analytic_properties(architecture)[name] for architecture in architectures]
        return np.array(values, dtype=np.float64), np.zeros(len(values))
