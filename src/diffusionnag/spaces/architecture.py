"""What an architecture is: the operation at every node, and the wiring between nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNDECIDED = -1
"""Operation index of a node whose row names no operation (none, or several, of its entries exceed 0.5)."""

Edge = tuple[int, int]
"""A pair (i, j): node number i feeds node number j."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A directed acyclic graph A = (V, E) in the vocabulary of one search space (paper, section 2).

    `operations` holds N indices into the space's operations (V), `UNDECIDED` where there is none;
    `edges` holds pairs (i, j) with i < j, sorted: node i feeds node j (E).
    """

    operations: tuple[int, ...]
    edges: tuple[Edge, ...]

    def adjacency(self) -> np.ndarray:
        """Return E as an upper-triangular 0/1 matrix, `N x N` float32."""
        return adjacency_matrix(len(self.operations), self.edges)


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether an architecture obeys its space's rules; true if it does, else `reason` tells."""

    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason


def adjacency_matrix(nodes: int, edges: tuple[Edge, ...]) -> np.ndarray:
    """Return the 0/1 matrix of a wiring, `nodes x nodes` float32, row feeds column."""
    matrix = np.zeros((nodes, nodes), dtype=np.float32)
    for source, target in edges:
        matrix[source, target] = 1.0
    return matrix
