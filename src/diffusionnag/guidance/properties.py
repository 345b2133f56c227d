"""What may be asked of a property: more, less, within a limit, near a value."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance.terms import Guidance
from diffusionnag.spaces import Architecture, SearchSpace

GUIDANCE_SCALE = 4.0
"""Default k, for a property in units of its spread over the space."""
SMALLEST_STD = 0.1
"""Standardised; a limit on an exactly known property still needs a slope to guide by."""
FAR = 0.5
"""Standardised; an estimate that breaks a bound by more is believed."""
TARGET_WIDTH = 0.1
"""Standardised distance from a target at which the likelihood falls to exp(-1/2)."""


class Property(ABC):
    """A property of architectures that can be differentiated, and so be asked for.

    Written as maths: `3 * accuracy + robustness` raises both, `accuracy - size` lowers one, and
    `latency <= 20.0` is a limit. Subclasses know the property in standardised units (zero mean and
    unit variance over the space, more being more).
    """

    search_space: SearchSpace
    property_name: str

    @property
    def noise_aware(self) -> bool:
        """Whether it judges noised architectures A_t, given their noise level."""
        return False

    @property
    def estimated(self) -> bool:
        """Whether the distribution only estimates what `predict` knows exactly, at some expense."""
        return False

    @property
    def conditions(self) -> Mapping[str, float]:
        """What else it depends on, such as the resolution, by name, and for which it is asked."""
        return {}

    @property
    def aspect_names(self) -> Sequence[str]:
        """The names of what `aspects` tells: its own, unless more, or something else, is known of it."""
        return (self.property_name,)

    @abstractmethod
    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, standardised, each `batch`, differentiable in x.

        `x` is relaxed one-hot, `batch x N x F`; `sigma` its noise level (`batch`), which only a
        noise-aware property looks at.
        """

    @abstractmethod
    def to_standard(self, value: float) -> float:
        """Return a value of the property, in its own unit, standardised."""

    @abstractmethod
    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation in the property's unit, each `batch` float64."""

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the mean of the standardised property, `batch`, differentiable in x."""
        return self.distribution(x, sigma)[0]

    def aspects(self, x: Tensor) -> Tensor:
        """Return the mean of each aspect, standardised, `batch x aspects`, differentiable in x.

        A search that starts from the property learns how each of them counts.
        """
        return self.standardised(x)[:, None]

    def normal_score(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the standardised property of architectures, `batch` float64; higher is more."""
        with torch.no_grad():
            x = torch.from_numpy(self.search_space.encode(architectures))
            return self.standardised(x).double().numpy()

    def __mul__(self, weight: float) -> Guidance:
        """Ask for more of it, `weight` times as strongly; for less if `weight` is negative."""
        return maximize(self, weight)

    __rmul__ = __mul__

    def __neg__(self) -> Guidance:
        """Ask for less of it."""
        return minimize(self)

    def __add__(self, other: object) -> Guidance:
        """Ask for more of it, and for the other as well."""
        return maximize(self) + other

    def __radd__(self, other: Any) -> Guidance:
        """Ask for the other, and for more of this as well."""
        return other + maximize(self)

    def __sub__(self, other: Any) -> Guidance:
        """Ask for more of it, and for less of the other."""
        return maximize(self) - other

    def __rsub__(self, other: Any) -> Guidance:
        """Ask for the other, and for less of this."""
        return other - maximize(self)

    def __le__(self, value: float) -> Bound:
        """Limit it from above."""
        return limit(self, at_most=value)

    def __ge__(self, value: float) -> Bound:
        """Limit it from below."""
        return limit(self, at_least=value)


def maximize(property: Property, weight: float = 1.0) -> Guidance:
    """Return guidance to more of a property (paper, Eq. 8-9), k being 4 times `weight`.

    k is counted in units of the property's spread over the space. A negative weight minimises.
    """
    return Slope(property, weight * GUIDANCE_SCALE)


def minimize(property: Property, weight: float = 1.0) -> Guidance:
    """Return guidance to less of a property, of the strength of `maximize`."""
    return maximize(property, -weight)


def limit(
    property: Property,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    probability: float = 0.5,
) -> Bound:
    """Return guidance to keep a limit, in the property's unit; the log-probability of keeping it.

    What is handed out keeps it with `probability` as predicted; a property that is known exactly
    keeps it exactly. Raises DiffusionNAGError unless one of the two bounds is given, for a bound
    that is not finite, and for a probability that is not between 0 and 1.
    """
    if (at_most is None) == (at_least is None):
        raise DiffusionNAGError("a limit needs one of `at_most` and `at_least`")
    bound = at_most if at_most is not None else at_least
    assert bound is not None
    if not math.isfinite(bound):
        raise DiffusionNAGError(f"a limit of {bound} on {property.property_name} is no limit")
    if not 0 < probability < 1:
        raise DiffusionNAGError(f"a limit is kept with a probability in (0, 1), not {probability}")
    return Bound(property, float(bound), 1 if at_most is not None else -1, probability)


def target(property: Property, value: float, weight: float = 1.0) -> Guidance:
    """Return guidance to a value of a property, in its unit: a normal likelihood around it."""
    if not math.isfinite(value):
        raise DiffusionNAGError(f"a target of {value} for {property.property_name} is no target")
    return Near(property, float(value)) * weight


def _distribution(
    property: Property, x: Tensor, sigma: Tensor, clean: Tensor
) -> tuple[Tensor, Tensor]:
    return property.distribution(x, sigma) if property.noise_aware else property.distribution(clean)


@dataclass(frozen=True)
class Slope(Guidance):
    """A property's mean times the guidance scale k (paper, Eq. 8-9)."""

    property: Property
    scale: float

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return k times the standardised property, `batch`.

        A noise-aware property judges A_t itself, as in the paper; any other is plugged in behind
        the denoiser and judges the estimated clean architecture.
        """
        if self.property.noise_aware:
            return self.scale * self.property.standardised(x, sigma)
        return self.scale * self.property.standardised(clean)


@dataclass(frozen=True)
class Near(Guidance):
    """How near a property comes to a value."""

    property: Property
    value: float

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return the log-density of the value under the property's distribution, widened, `batch`."""
        mean, std = _distribution(self.property, x, sigma, clean)
        distance = mean - self.property.to_standard(self.value)
        variance = std**2 + TARGET_WIDTH**2
        return -0.5 * (distance**2 / variance + variance.log())


@dataclass(frozen=True)
class Bound(Guidance):
    """An upper (`sign` 1) or lower (-1) bound on a property, kept with at least `probability`."""

    property: Property
    bound: float
    sign: int
    probability: float

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return k = 4 times the log-probability of keeping the bound, `batch`, as `maximize` does.

        Where more than an even chance is asked for, it is that of keeping a bound closer by as
        many deviations.
        """
        mean, std = _distribution(self.property, x, sigma, clean)
        room = self._room(mean) / std.clamp(min=SMALLEST_STD)
        return GUIDANCE_SCALE * torch.special.log_ndtr(room - self._margin())

    def _margin(self) -> float:
        """The deviations of the prediction that must fit between it and the bound."""
        return float(torch.special.ndtri(torch.tensor(self.probability, dtype=torch.float64)))

    def _room(self, mean: Tensor) -> Tensor:
        return self.sign * (self.property.to_standard(self.bound) - mean)

    def room(self, x: Tensor) -> Tensor:
        """Return how far one-hot x lies within the bound, standardised, `batch`; below 0 breaks it.

        The deviations that the probability asked for needs are taken off; differentiable in x.
        """
        margin = self._margin()
        if margin == 0:  # the mean alone costs a Gaussian process a third of both
            return self._room(self.property.standardised(x))
        mean, std = self.property.distribution(x)
        return self._room(mean) - margin * std

    def shortfall(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return how far each is from keeping the bound with the probability asked for, `batch`."""
        with torch.no_grad():
            x = torch.from_numpy(self.property.search_space.encode(architectures))
            short = (-self.room(x)).double().numpy()
        if self.property.estimated:
            return self._exact_shortfall(architectures, short)
        value, spread = self.property.predict(architectures)
        # Where a value is known exactly, the standardised one is a little off by rounding.
        tiny = np.finfo(np.float32).eps
        exact = np.where(self.allows(value), 0.0, short.clip(tiny))
        return np.where(spread == 0, exact, short.clip(0.0))

    def _exact_shortfall(
        self, architectures: Sequence[Architecture], estimated: np.ndarray
    ) -> np.ndarray:
        """Return 0 where the exact value keeps the bound, else the estimate, above 0.

        What seems to be far from it is not looked at.
        """
        short = estimated.clip(np.finfo(np.float32).eps)
        close = np.flatnonzero(estimated < FAR)
        values, _ = self.property.predict([architectures[row] for row in close.tolist()])
        short[close[self.allows(values)]] = 0.0
        return short

    def allows(self, values: np.ndarray) -> np.ndarray:
        """Return which values of the property, in its unit, lie within the bound, `batch` bool."""
        return self.sign * (self.bound - values) >= 0

    def keeps(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return which architectures keep the bound with the probability asked for, `batch`."""
        return self.shortfall(architectures) == 0

    def describe(self, architecture: Architecture | None = None) -> str:
        """Return the bound in words, or an architecture's predicted value."""
        name = self.property.property_name
        if architecture is None:
            return f"{name} {'<=' if self.sign > 0 else '>='} {self.bound:g}"
        return f"{name} = {self.property.predict([architecture])[0][0]:.4g}"
