"""A predictor whose condition, such as the resolution, is what a node of the architecture holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from diffusionnag._devices import torch_defaults
from diffusionnag.guidance import Property
from diffusionnag.predictors.ensemble import Ensemble
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.spaces import Architecture, ConditionedSpace


class PredictorUnderNode(Property):
    """What a predictor of the inner space predicts under the value that the first node holds.

    Between values, which relaxed rows are, it predicts for the expected one. The predictor must
    have the space's condition, and no other.
    """

    def __init__(self, search_space: ConditionedSpace, predictor: PropertyPredictor) -> None:
        self.search_space = search_space
        self.predictor = predictor
        self.property_name = predictor.property_name
        self._within_operations = len(search_space.inner.operations)
        self._values = torch.tensor(search_space.values, dtype=torch.float32)

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation as standard normal scores, each `batch`."""
        ensemble = self._ensemble(x)
        return ensemble.distribution(self._within(x), conditions=self._expected(x))

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the mean alone, `batch`, which takes less work."""
        ensemble = self._ensemble(x)
        return ensemble.standardised(self._within(x), conditions=self._expected(x))

    def to_standard(self, value: float) -> float:
        """Return a value of the property as a standard normal score."""
        return self.predictor.to_standard(value)

    @torch_defaults()
    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation in the property's unit, each `batch` float64."""
        with torch.no_grad():
            x = torch.from_numpy(self.search_space.encode(architectures))
            return self.predictor.in_unit(*self.distribution(x))

    def _ensemble(self, x: Tensor) -> Ensemble:
        model = self.predictor._on(x.device)
        assert isinstance(model, Ensemble)
        return model

    def _within(self, x: Tensor) -> Tensor:
        return x[:, 1:, : self._within_operations]

    def _expected(self, x: Tensor) -> Tensor:
        """Return the expected value of the condition, `batch x 1`."""
        chances = x[:, 0, self._within_operations :]
        return (chances @ self._values.to(chances))[:, None]
