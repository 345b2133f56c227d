"""A Gaussian process for a handful of measurements, which may be noisy: the surrogate of searches."""

from __future__ import annotations

from diffusionnag.predictors.gaussian_process import GaussianProcess
from diffusionnag.predictors.path_features import FeatureGroups, PathsAndPairs
from diffusionnag.spaces import SearchSpace


class PairsProcess(GaussianProcess):
    """A process that also sees which operations follow each other, and expects more noise.

    A search learns from values that chance has raised: a process that expects hardly any noise
    believes them, and proposes their neighbours again and again.
    """

    kind = "pairs_process"
    noise_prior = (-1.0, 1.0)

    def _usual_features(self, space: SearchSpace) -> FeatureGroups:
        return PathsAndPairs(space)
