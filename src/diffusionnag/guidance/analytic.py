"""Properties that follow from the architecture alone, as guides without any training."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance._relaxations import GroupSum, NodeMaximum, Relaxation, UnderEachValue
from diffusionnag.guidance.properties import Property
from diffusionnag.spaces import Architecture, ConditionedSpace, SearchSpace

CHECKED = 256
"""Architectures, other than those it was made from, on which a relaxation is checked."""
TOLERANCE = 1e-6
"""Largest error of a relaxation at one-hot input, relative to the property's spread."""


def analytic_names(space: SearchSpace) -> list[str]:
    """Return the properties of a space that follow from the architecture alone."""
    return list(space.analytic_properties(space.sample(1, 0)[0]))


class AnalyticProperty(Property):
    """An analytic property of a space, such as its parameters, relaxed to operation probabilities.

    It must be a sum over the space's `interactions` (groups of nodes), such as the parameters, or the
    maximum of one number a node, such as the peak memory. The relaxation is its expected value:
    multilinear, and exact at one-hot input. The numbers are found from random architectures, and
    checked on others; where a node holds a condition, such as the resolution, under each of its
    values. Raises DiffusionNAGError where the space has no such property, or it is neither.
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
        if isinstance(search_space, ConditionedSpace):
            self._fit_under_each_value(search_space)
        else:
            self._fit(search_space)

    def _fit(self, space: SearchSpace) -> None:
        grouped, name = GroupSum(space), self.property_name
        drawn, properties = _known(space, 4 * grouped.combinations + CHECKED)
        values = np.array([known[name] for known in properties], dtype=np.float64)
        x = torch.from_numpy(space.encode(drawn)).double()
        self._mean, self._spread = float(values.mean()), float(values.std())
        if np.ptp(values) == 0:  # rounding gives equal values a spread
            raise DiffusionNAGError(
                f"{name} is {self._mean:g} all over {space.name}: nothing to guide"
            )
        standard = (values - self._mean) / self._spread
        seen, checked = slice(CHECKED, None), slice(CHECKED)
        errors = []
        for fit in (grouped.fit, NodeMaximum.fit):
            self._relaxation: Relaxation = fit(x[seen], standard[seen])
            relaxed = self._relaxation.mean(x[checked]).numpy()
            errors.append(np.abs(relaxed - standard[checked]).max())
            if errors[-1] <= TOLERANCE:
                return
        raise DiffusionNAGError(
            f"{name} of {space.name} is no sum over its groups of nodes (off by "
            f"{errors[0] * self._spread:.2g}), and no maximum over its nodes; declare which nodes act "
            "together by `interactions`, or fit a PropertyPredictor on computed values"
        )

    def _fit_under_each_value(self, space: ConditionedSpace) -> None:
        parts = _under_each_value(space, self.property_name)
        means, spreads = np.array([(part._mean, part._spread) for part in parts]).T
        self._mean = float(means.mean())
        self._spread = float(np.sqrt(means.var() + np.square(spreads).mean()))
        self._relaxation = UnderEachValue(
            [part._relaxation for part in parts],
            (means - self._mean) / self._spread,
            spreads / self._spread,
        )

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the expected value alone, standardised, `batch`, differentiable in x."""
        return self._relaxation.mean(x)

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and deviation, standardised, over independent draws of operations, `batch`.

        At one-hot input the mean is the exact value and the deviation 0.
        """
        mean, variance = self._relaxation.moments(x)
        return mean, variance.sqrt()

    def to_standard(self, value: float) -> float:
        """Return a value of the property standardised: minus its mean, over its spread."""
        return (value - self._mean) / self._spread

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact values, and deviations of 0, each `batch` float64."""
        space, name = self.search_space, self.property_name
        values = [space.analytic_properties(architecture)[name] for architecture in architectures]
        return np.array(values, dtype=np.float64), np.zeros(len(values))


# It takes seconds, and the same property is often asked for again.
@functools.lru_cache(maxsize=16)
def _under_each_value(space: ConditionedSpace, name: str) -> tuple[AnalyticProperty, ...]:
    return tuple(AnalyticProperty(under, name) for under in _spaces_under(space))


@functools.lru_cache(maxsize=4)
def _spaces_under(space: ConditionedSpace) -> tuple[SearchSpace, ...]:
    return tuple(space.under_value(value) for value in space.values)


# All properties are known at once, and another of them is often asked for next.
@functools.lru_cache(maxsize=32)
def _known(space: SearchSpace, count: int) -> tuple[list[Architecture], list[Mapping[str, float]]]:
    drawn = space.sample(count, 1)
    return drawn, [space.analytic_properties(architecture) for architecture in drawn]
