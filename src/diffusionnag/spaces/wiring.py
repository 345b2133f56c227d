"""Wiring that may vary: which edges an architecture has, as the operations of nodes decide."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.spaces.architecture import Edge

Condition = tuple[tuple[int, tuple[int, ...]], ...]
"""An edge is there if each of these nodes has one of these operations; both are indices."""


@dataclass(frozen=True)
class Wiring:
    """All edges that there may be, the condition of each, and the nodes that only decide on edges.

    Without conditions the wiring is fixed: every edge is always there.
    """

    edges: tuple[Edge, ...]
    conditions: tuple[Condition, ...]
    nodes: tuple[int, ...]

    @classmethod
    def of(
        cls,
        nodes: Sequence[str],
        operations: Sequence[str],
        edges: tuple[Edge, ...],
        condition: Callable[[int, int], Mapping[str, Collection[str]]],
    ) -> Wiring:
        """Return the wiring of a space's parts, whose conditions go by names."""
        conditions = tuple(
            tuple(
                (nodes.index(node), tuple(operations.index(name) for name in names))
                for node, names in condition(*edge).items()
            )
            for edge in edges
        )
        deciding = {node for condition in conditions for node, _ in condition}
        linked = {node for edge in edges for node in edge}
        return cls(edges, conditions, tuple(sorted(deciding - linked)))

    @property
    def is_fixed(self) -> bool:
        """Whether every architecture has all edges."""
        return not any(self.conditions)

    def presence(self, operations: np.ndarray) -> np.ndarray:
        """Return which edges there are with these operations, `batch x N` to `batch x E` bool."""
        present = np.ones((len(operations), len(self.edges)), dtype=bool)
        for edge, condition in enumerate(self.conditions):
            for node, names in condition:
                present[:, edge] &= np.isin(operations[:, node], names)
        return present

    def edges_of(self, operations: Sequence[int]) -> tuple[Edge, ...]:
        """Return the edges that there are with these N operations."""
        present = (
            all(operations[node] in names for node, names in condition)
            for condition in self.conditions
        )
        return self.edges if self.is_fixed else tuple(itertools.compress(self.edges, present))

    def edges_of_each(self, operations: np.ndarray) -> list[tuple[Edge, ...]]:
        """Return the edges of each row of operations, `batch x N`."""
        if self.is_fixed:
            return [self.edges] * len(operations)
        return [tuple(itertools.compress(self.edges, row)) for row in self.presence(operations)]

    def adjacency(self, operations: np.ndarray) -> np.ndarray:
        """Return E of each row of operations, `batch x N` to `batch x N x N` bool, row feeds column."""
        count = operations.shape[1]
        adjacency = np.zeros((len(operations), count, count), dtype=bool)
        sources, targets = zip(*self.edges, strict=True)
        adjacency[:, sources, targets] = self.presence(operations)
        return adjacency
