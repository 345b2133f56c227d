"""What is known of another property, corrected by what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from diffusionnag.guidance import Property
from diffusionnag.guidance.properties import SMALLEST_STD
from diffusionnag.predictors import (
    GaussianProcess,
    GaussianProcessConfig,
    RankGaussian,
    fit_gaussian_process,
)
from diffusionnag.spaces import Architecture


class Corrected:
    """A surrogate whose prior mean is a property; a Gaussian process learns how measurements differ.

    The property may be in another unit, and be another one: measured values are put on its scale,
    on which they spread as much as the property and its own deviation say. `sign` is -1 where less
    of the property is better.
    """

    def __init__(self, prior: Property, sign: int) -> None:
        self.prior = prior
        self.sign = sign

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> Corrected:
        """Fit on measured values, one an architecture, more being better; return itself."""
        space = self.prior.search_space
        # Ranks among a few good ones would say nothing on the scale of the property.
        self.target = RankGaussian.fit(values, magnitude=1.0)
        standard = torch.from_numpy(self.target.to_normal(values))
        x = torch.from_numpy(space.encode(architectures))
        with torch.no_grad():
            mean, std = (part.double() for part in self.prior.distribution(x))
        expected = (mean.var(correction=0) + std.square().mean()).sqrt().clamp(min=SMALLEST_STD)
        self.scale = float(expected / standard.std(correction=0))
        self.shift = float(self.sign * mean.mean() - self.scale * standard.mean())
        differs = self.scale * standard + self.shift - self.sign * mean
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(values)))
        self.process = GaussianProcess(space, GaussianProcessConfig(len(values)))
        fit_gaussian_process(
            self.process, x[order], differs[order], lambda iteration, iterations: None
        )
        return self

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation, each `batch`, of one-hot `batch x N x F`, on its scale."""
        correction, std = self.process.distribution(x)
        return self.sign * self.prior.standardised(x) + correction, std

    def to_standard(self, value: float) -> float:
        """Return a measured value on the scale of the property."""
        return self.scale * float(self.target.to_normal(np.array(value))) + self.shift
