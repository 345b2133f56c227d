"""The architectures that a generator learns from: no labels, only what the space contains."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.search_space import operation_indices

DRAWS = 500_000
"""Architectures drawn from a larger space, as in the paper."""


@dataclass(frozen=True)
class TrainingSet:
    """A training set by its seed: drawn again whenever it is needed, never stored."""

    seed: int

    def operations(self, space: SearchSpace) -> np.ndarray:
        """Return the set as operation indices, `count x N` int64.

        A random half of a space that can be enumerated (paper, section 3.3), else 500,000 uniform
        draws.
        """
        rng = np.random.default_rng(self.seed)
        everything = whole_space(space, rng)
        if not space.is_enumerable:
            return everything
        if len(everything) == 0:
            raise DiffusionNAGError(
                f"{space.name} has no architecture at all: its rule refuses all"
            )
        half = rng.permutation(len(everything))[: max(1, len(everything) // 2)]
        return everything[np.sort(half)]

    def contains(self, space: SearchSpace, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return for each architecture whether it is in the set, `batch` bool."""
        known = _sorted_hashes(self, space)
        asked = row_hashes(operation_indices(architectures, len(space.nodes)))
        return known[np.searchsorted(known, asked).clip(max=len(known) - 1)] == asked


def whole_space(space: SearchSpace, rng: np.random.Generator) -> np.ndarray:
    """Return all of a space that can be enumerated, else 500,000 uniform draws; `count x N` int64."""
    if space.is_enumerable:
        return np.concatenate(list(space.enumerate_operations()))
    return space.sample_operations(DRAWS, rng)


@functools.lru_cache(maxsize=4)
def _sorted_hashes(training_set: TrainingSet, space: SearchSpace) -> np.ndarray:
    return np.sort(row_hashes(training_set.operations(space)))


def row_hashes(operations: np.ndarray) -> np.ndarray:
    """Return a random linear hash of each row, int64: in a million, collisions are out of the question."""
    return operations @ np.random.default_rng(0).integers(2**63, size=operations.shape[1])
