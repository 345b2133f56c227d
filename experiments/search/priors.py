"""What a search may start from: what untrained networks tell, the opposite, and nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from diffusionnag.guidance import Property
from diffusionnag.predictors import ArchitectureFeatures, PropertyPredictor
from diffusionnag.proxies import COMBINED
from diffusionnag.spaces import Architecture, SearchSpace

WAVES = 50
"""Cosines in each group of features that a random function is the sum of."""
CALIBRATED_ON = 1_000


class Scored(Property):
    """A property that a differentiable function of `batch x N x F` gives, in standard units."""

    def __init__(self, space: SearchSpace, name: str, score: Callable[[Tensor], Tensor]) -> None:
        self.search_space = space
        self.property_name = name
        self.score = score

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the score and a deviation of 0, each `batch`."""
        score = self.score(x)
        return score, torch.zeros_like(score)

    def to_standard(self, value: float) -> float:
        """Return the value: its unit is the standard one."""
        return value

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return the score and a deviation of 0, each `batch` float64."""
        score = self.normal_score(architectures)
        return score, np.zeros_like(score)


class Inverted(Scored):
    """The opposite of a property, and of each of its aspects."""

    def __init__(self, property: Property) -> None:
        super().__init__(
            property.search_space,
            f"inverted {property.property_name}",
            lambda x: -property.standardised(x),
        )
        self.property = property

    @property
    def aspect_names(self) -> Sequence[str]:
        """The names of the property's aspects."""
        return self.property.aspect_names

    def aspects(self, x: Tensor) -> Tensor:
        """Return the opposite of each aspect, `batch x aspects`."""
        return -self.property.aspects(x)


def random_function(space: SearchSpace, seed: int) -> Property:
    """Return a function drawn at random, as smooth over architectures as the surrogate expects.

    It is a sum of random cosines of each group of features (Rahimi & Recht 2007).
    """
    features = ArchitectureFeatures(space)
    generator = torch.Generator().manual_seed(seed)
    sample = torch.from_numpy(space.encode(space.sample(CALIBRATED_ON, seed))).float()
    waves = [
        (
            torch.randn(group.shape[1], WAVES, generator=generator)
            / (2 * group.var(0).sum()).sqrt(),
            2 * torch.pi * torch.rand(WAVES, generator=generator),
            torch.randn(WAVES, generator=generator),
        )
        for group in features(sample)
    ]

    def wave(x: Tensor) -> Tensor:
        parts = zip(features(x), waves, strict=True)
        return torch.stack(
            [
                (group @ rates.to(x) + shifts.to(x)).cos() @ sizes.to(x)
                for group, (rates, shifts, sizes) in parts
            ]
        ).sum(0)

    values = wave(sample)
    mean, deviation = values.mean(), values.std()
    return Scored(space, "random", lambda x: (wave(x) - mean) / deviation)


def prior(name: str, space: SearchSpace, seed: int) -> Property:
    """Return what a search starts from: `proxies`, `inverted` or `useless`, another one each seed."""
    if name == "useless":
        return random_function(space, seed)
    proxies = PropertyPredictor.from_pretrained(COMBINED, search_space=space)
    return Inverted(proxies) if name == "inverted" else proxies
