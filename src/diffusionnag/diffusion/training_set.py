"""The architectures that a generator learns from: no labels, only what the space contains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.search_space import ENUMERABLE, operation_indices

DRAWS = 500_000
"""Architectures drawn from a larger space, as in the paper."""
FORMS = 16
"""Random forms in which an architecture is shown, where different operations are the same one."""


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
        if not space.is_enumerable:
            return space.sample_operations(DRAWS, rng)
        everything = np.concatenate(list(space.enumerate_operations()))
        if len(everything) == 0:
            raise DiffusionNAGError(
                f"{space.name} has no architecture at all: its rule refuses all"
            )
        half = rng.permutation(len(everything))[: max(1, len(everything) // 2)]
        return everything[np.sort(half)]

    def shown(self, space: SearchSpace) -> np.ndarray:
        """Return the set as training shows it, `count x N` int64: not only in canonical form.

        Canonical forms have an order, which a network learns with a bias; where a space can be
        walked through, each architecture stands there in 16 of its forms, drawn at random.
        """
        operations = self.operations(space)
        if not space.has_twins or space.combinations > ENUMERABLE:
            return operations
        options = [np.flatnonzero(row) for row in space.allowed]
        combined = np.stack(np.meshgrid(*options, indexing="ij"), axis=-1)
        forms = combined.reshape(-1, len(space.nodes))
        codes = _codes(space.canonical(forms))
        order = np.argsort(codes, kind="stable")
        wanted = np.repeat(_codes(operations), FORMS)
        first = np.searchsorted(codes[order], wanted, "left")
        end = np.searchsorted(codes[order], wanted, "right")
        return forms[order[np.random.default_rng(self.seed).integers(first, end)]]

    def contains(self, space: SearchSpace, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return for each architecture whether it is in the set, `batch` bool."""
        asked = operation_indices(architectures, len(space.nodes))
        return np.isin(_codes(asked), _codes(self.operations(space)))


def _codes(operations: np.ndarray) -> np.ndarray:
    """Return a random 64-bit linear hash of each row: collisions are out of the question here."""
    return operations @ np.random.default_rng(0).integers(2**63, size=operations.shape[1])
