"""A surrogate benchmark: a value for every architecture of a space too large to be measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array, hstack
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.search_space import operation_indices

TREES = 1_000
LEAVES = 4
LEARNING_RATE = 0.1
RIDGE = 30.0


class SurrogateBenchmark:
    """What a table would say of any architecture of a space, learnt from all of its rows.

    The mean of two regressors that err in different places: boosted trees, and ridge regression on
    pairs (experiment `surrogate` compares them). The same rows always give the same values.
    Source: surrogate benchmarks (Zela et al. 2022), Accel-NASBench's for MnasNet (Ahmad et al. 2024).
    """

    def __init__(self, space: SearchSpace) -> None:
        self.features = SurrogateFeatures(space)
        self.trees = HistGradientBoostingRegressor(
            max_iter=TREES,
            max_leaf_nodes=LEAVES,
            learning_rate=LEARNING_RATE,
            early_stopping=False,  # pyright: ignore[reportArgumentType]  (documented as str or bool)
            random_state=0,
        )
        self.pairs = make_pipeline(
            PolynomialFeatures(2, interaction_only=True, include_bias=False),
            Ridge(RIDGE, solver="sparse_cg"),
        )

    def fit(self, architectures: Sequence[Architecture], values: np.ndarray) -> SurrogateBenchmark:
        """Learn from measured values (`count`, finite), and return itself."""
        self.features.fit(architectures)
        self.trees.fit(self.features.choices(architectures), values)
        self.pairs.fit(self.features.one_hot(architectures), values)
        return self

    def predict(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the value of each architecture, `batch` float64, in the unit of what was learnt."""
        return np.mean(list(self.predict_by_part(architectures).values()), axis=0)

    def predict_by_part(self, architectures: Sequence[Architecture]) -> dict[str, np.ndarray]:
        """Return what each of the two regressors, by name, says of each architecture, `batch`."""
        return {
            "boosted trees": self.trees.predict(self.features.choices(architectures)),
            "ridge regression on pairs": self.pairs.predict(self.features.one_hot(architectures)),
        }


class SurrogateFeatures:
    """Architectures as numbers for regressors: choices, and the space's analytic properties."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._free = [node for node in range(len(space.nodes)) if len(space.choices(node)) > 1]
        self._scaler = StandardScaler()

    def fit(self, architectures: Sequence[Architecture]) -> None:
        """Learn the mean and the spread of the analytic properties."""
        if self._properties(architectures).shape[1]:
            self._scaler.fit(self._properties(architectures))

    def choices(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the number of the operation at each node that has a choice, `batch x nodes`."""
        return operation_indices(architectures, len(self.space.nodes))[:, self._free]

    def one_hot(self, architectures: Sequence[Architecture]) -> csr_array:
        """Return these choices one-hot, then the standardised properties, sparse `batch x columns`."""
        one_hot = self.space.encode(architectures)[:, self._free].reshape(len(architectures), -1)
        columns = one_hot.astype(np.float64)
        properties = self._properties(architectures)
        if properties.shape[1]:
            properties = self._scaler.transform(properties)
        return csr_array(hstack([csr_array(columns), csr_array(properties)]))

    def _properties(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the properties, `batch x properties`, on a scale that is logarithmic from 1 on."""
        rows = [
            list(self.space.analytic_properties(architecture).values())
            for architecture in architectures
        ]
        return np.arcsinh(np.array(rows, dtype=np.float64))
