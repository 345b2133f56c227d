"""A new data set where few are known: the mean of what predictors of the known ones say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from diffusionnag.guidance import Property
from diffusionnag.predictors import predictor_under
from diffusionnag.spaces import Architecture, SearchSpace

KNOWN_DATASETS: Mapping[str, Mapping[str, str]] = {
    "mobilenetv3": {"ImageNet": "imagenet_top1", "CIFAR-10": "cifar10"},
}
"""The shipped predictors of a space that were learnt from networks tuned as users tune them.

Not among them are those of networks with early exits at 32 pixels: of networks as large as each
other they say nothing about the others, nor these about them (results/dataset-transfer.md).
"""


class MeanOverDatasets(Property):
    """The mean normal score over data sets that are known, standing for one that is not.

    The deviation is that of a data set drawn from the known ones: it joins the predictors' own with
    how much they disagree. Values are normal scores.
    """

    property_name = "transferred"

    def __init__(self, predictors: Sequence[Property]) -> None:
        self.predictors = tuple(predictors)
        self.search_space = self.predictors[0].search_space

    @property
    def conditions(self) -> Mapping[str, float]:
        """What any of the predictors depends on, by name; the first says for which it predicts."""
        joined: dict[str, float] = {}
        for predictor in self.predictors:
            joined = {**predictor.conditions, **joined}
        return joined

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation as normal scores, each `batch`, of `batch x N x F`."""
        said = [predictor.distribution(x) for predictor in self.predictors]
        mean, std = (torch.stack(parts) for parts in zip(*said, strict=True))
        variance = std.square().mean(0) + mean.var(0, correction=0)
        return mean.mean(0), variance.sqrt()

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the mean alone, `batch`, which takes less work."""
        return self.aspects(x).mean(1)

    @property
    def aspect_names(self) -> Sequence[str]:
        """What each of the predictors predicts."""
        return [predictor.property_name for predictor in self.predictors]

    def aspects(self, x: Tensor) -> Tensor:
        """Return the mean of each predictor as a normal score, `batch x predictors`."""
        return torch.stack([each.standardised(x) for each in self.predictors], dim=1)

    def to_standard(self, value: float) -> float:
        """Return a value, which is a normal score, as it is."""
        return value

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation as normal scores, each `batch` float64."""
        with torch.no_grad():
            x = torch.from_numpy(self.search_space.encode(architectures))
            mean, std = self.distribution(x)
        return mean.double().numpy(), std.double().numpy()


def known_datasets(space: SearchSpace) -> tuple[str, ...]:
    """Return the names of the data sets that predictors ship for; none in most spaces."""
    return tuple(KNOWN_DATASETS.get(space.name, ()))


def mean_over_datasets(space: SearchSpace) -> MeanOverDatasets:
    """Return what the known data sets of a space say together, under the space's conditions."""
    names = KNOWN_DATASETS[space.name].values()
    return MeanOverDatasets([predictor_under(name, space) for name in names])
