"""Properties of GPT-2 shapes by a ridge regression within each width, and what it teaches networks.

Costs are nearly sums over layers, so it also says what shapes cost that random draws do not reach:
those whose layers are all small, or all large.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import Ridge

from diffusionnag._seeds import numpy_generator
from diffusionnag.spaces import Architecture, SearchSpace, operation_indices
from diffusionnag.spaces.gpt2 import BEFORE_LAYERS

UNIFORM, SKEWED = 20_000, 30_000
CONCENTRATION = 0.3
"""Of the Dirichlet distribution from which a skewed shape's shares of layers are drawn."""


class WithinWidths:
    """Predicts the logarithm of a property from the layers that there are, within each width.

    It sees each layer at its place, how many there are of each kind, and the squares of these.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.layers = [space.operations.index(name) for name in space.choices(BEFORE_LAYERS)]
        self.parts: dict[int, Ridge] = {}

    def fit(self, shapes: Sequence[Architecture], values: np.ndarray) -> WithinWidths:
        """Learn from values (`count`, above 0), and return itself."""
        widths, features = self._features(shapes)
        for width in np.unique(widths).tolist():
            of_width = widths == width
            fitted = Ridge(1.0).fit(features[of_width], np.log(values[of_width]))
            self.parts[width] = fitted
        return self

    def predict(self, shapes: Sequence[Architecture]) -> np.ndarray:
        """Return the values, `batch`."""
        widths, features = self._features(shapes)
        values = np.empty(len(shapes))
        for width in np.unique(widths).tolist():
            of_width = widths == width
            values[of_width] = np.exp(self.parts[width].predict(features[of_width]))
        return values

    def _features(self, shapes: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        operations = operation_indices(shapes, len(self.space.nodes))
        one_hot = self.space.encode(shapes)
        layers = one_hot[:, BEFORE_LAYERS:, self.layers]
        bias, counts = one_hot[:, 1], layers.sum(1)
        parts = (bias, layers.reshape(len(shapes), -1), counts, counts**2 / len(self.layers))
        return operations[:, 0], np.concatenate(parts, axis=1).astype(np.float64)


def lessons(space: SearchSpace, seed: int) -> list[Architecture]:
    """Return shapes to be taught on: uniform draws, and some in which few kinds of layers abound."""
    rng = numpy_generator(seed)
    drawn = space.sample_operations(UNIFORM + SKEWED, rng)
    layers = [space.operations.index(name) for name in space.choices(BEFORE_LAYERS)]
    shares = rng.dirichlet(np.full(len(layers), CONCENTRATION), size=SKEWED)
    places = drawn.shape[1] - BEFORE_LAYERS
    below = rng.random((SKEWED, places, 1)) > shares.cumsum(1)[:, None, :-1]
    chosen = np.array(layers)[below.sum(2)]
    skewed = drawn[UNIFORM:, BEFORE_LAYERS:]
    present = np.isin(skewed, layers)
    skewed[present] = chosen[present]
    return space.architectures(drawn)
