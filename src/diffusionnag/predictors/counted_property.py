"""Properties that are counted on the built module: exact when asked for, estimated where they guide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance import Property
from diffusionnag.networks import count_property, counted_names
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables import nothing_to_learn
from diffusionnag.tables.measurements import FEWEST_ARCHITECTURES

LEARNT_FROM = 256
"""Random architectures whose modules are built, so that the property can guide."""


class CountedProperty(Property):
    """The parameters, the multiply-adds or the activation memory of what a space's builder makes.

    `predict` builds each module and counts, so that a limit is kept exactly; the `distribution` that
    guides is that of a predictor, fitted on the modules of some hundred random architectures. An
    architecture whose network cannot be built has no value, NaN, and keeps no limit. Raises
    DiffusionNAGError where the space has no such property, where hardly a network can be built, and
    where the property is the same all over the space.
    """

    def __init__(self, search_space: SearchSpace, property_name: str) -> None:
        self.search_space = search_space
        self.property_name = property_name
        known = counted_names(search_space)
        if property_name not in known:
            raise DiffusionNAGError(
                f"{search_space.name} has no counted property {property_name!r}; it has "
                f"{', '.join(known) or 'none'}"
            )
        drawn = search_space.sample(LEARNT_FROM, 0)
        values, _ = self.predict(drawn)
        rows = np.flatnonzero(np.isfinite(values))
        if len(rows) < FEWEST_ARCHITECTURES:
            raise DiffusionNAGError(
                f"of {LEARNT_FROM} random networks of {search_space.name} {len(rows)} can be built; "
                "`diffusionnag check` tells what fails"
            )
        if nothing_to_learn(values[rows]):
            raise DiffusionNAGError(
                f"{property_name} is {values[rows[0]]:g} all over {search_space.name}: nothing to guide"
            )
        self._predictor = PropertyPredictor(search_space, property_name)
        self._predictor.fit([drawn[row] for row in rows], values[rows])

    @property
    def estimated(self) -> bool:
        """Whether the distribution only estimates what `predict` knows exactly."""
        return True

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and deviation as predicted, standardised, `batch`, differentiable in x."""
        return self._predictor.distribution(x, sigma)

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the predicted mean, standardised, `batch`, differentiable in x."""
        return self._predictor.standardised(x, sigma)

    def to_standard(self, value: float) -> float:
        """Return a value of the property standardised."""
        return self._predictor.to_standard(value)

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact values, NaN where no network can be built, and deviations of 0, `batch`."""
        values = [self._count(architecture) for architecture in architectures]
        return np.array(values, dtype=np.float64), np.zeros(len(values))

    def _count(self, architecture: Architecture) -> float:
        try:
            return count_property(self.search_space, architecture, self.property_name)
        except DiffusionNAGError:
            return float("nan")
