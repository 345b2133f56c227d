"""The library's Gaussian process on other features than its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from diffusionnag.predictors.gaussian_process import (
    GaussianProcess,
    GaussianProcessConfig,
    fit_gaussian_process,
)
from diffusionnag.predictors.path_features import FeatureGroups
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.predictors.rank_gaussian import RankGaussian
from diffusionnag.spaces import Architecture, SearchSpace


class ProcessOn:
    """A Gaussian process on the features that `features` returns for what it is fitted on.

    It learns the ranks of the values, by the share `magnitude`, from 0 to 1, their distances.
    """

    def __init__(
        self,
        space: SearchSpace,
        features: Callable[[Sequence[Architecture]], FeatureGroups],
        *,
        magnitude: float = 0.0,
    ) -> None:
        self.space = space
        self.features = features
        self.magnitude = magnitude

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> PropertyPredictor:
        """Return a predictor fitted on measured values, one an architecture, in any unit.

        The seed chooses on which of more than 400 the kernel is fitted.
        """
        order = np.random.default_rng(seed).permutation(len(values))
        target = RankGaussian.fit(values, magnitude=self.magnitude)
        normal = torch.from_numpy(target.to_normal(values[order])).float()
        x = torch.from_numpy(self.space.encode([architectures[row] for row in order]))
        config = GaussianProcessConfig(len(architectures))
        process = GaussianProcess(self.space, config, self.features(architectures))
        fit_gaussian_process(process, x, normal, lambda step, steps: None)
        return PropertyPredictor.from_fitted(self.space, "measured", process, target)
