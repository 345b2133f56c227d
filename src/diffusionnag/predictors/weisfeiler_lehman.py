"""Weisfeiler-Lehman features: an architecture as a bag of its nodes' neighbourhoods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.search_space import operation_indices

ROUNDS = 2
"""After so many rounds of relabelling a label tells of what lies that many edges before a node."""


class WeisfeilerLehman:
    """How often each label occurs after each round of relabelling, one group a round, unit length.

    The graph has the operations as nodes, without those on no open path from input to output. A
    node's first label is its operation, its next one its label together with those of the nodes
    that feed it. Each label of the given architectures has a column; all others that an
    architecture has share one, so that its distance to each of the given ones is exact.
    Source: Shervashidze et al. 2011; for cells Ru et al. 2021 (NAS-BOWL).
    """

    groups = ROUNDS + 1
    predicted_groups = 0

    def __init__(self, space: SearchSpace, architectures: Sequence[Architecture]) -> None:
        self.space = space
        rounds, present = self._labels(operation_indices(architectures, len(space.nodes)))
        self.known = [np.unique(labels[present]) for labels in rounds]

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return a group for each number of rounds of one-hot `batch x N x F`, `batch x columns`."""
        rounds, present = self._labels(x.argmax(-1).numpy())
        return [
            torch.from_numpy(_unit_counts(labels, present, known)).to(x)
            for labels, known in zip(rounds, self.known, strict=True)
        ]

    def _labels(self, operations: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the labels after each round, and which nodes have any, each `batch x N`."""
        adjacency = self.space.wiring.adjacency(operations)
        present = _on_open_path(self.space, operations, adjacency)
        feeds = adjacency.astype(np.uint64)
        rounds = [_mixed(operations.astype(np.uint64))]
        for _ in range(ROUNDS):
            # A sum does not depend on the order of the nodes that feed a node.
            feeding = np.where(present, _mixed(rounds[-1]), np.uint64(0))
            fed_by = (feeding[:, None] @ feeds)[:, 0]
            rounds.append(_mixed(rounds[-1] + _mixed(fed_by)))
        return rounds, present


def _mixed(labels: np.ndarray) -> np.ndarray:
    """Return a hash of 64-bit labels: a step of SplitMix64 (Steele et al. 2014)."""
    mixed = labels + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _on_open_path(space: SearchSpace, operations: np.ndarray, adjacency: np.ndarray) -> np.ndarray:
    """Return which nodes lie on a path that nothing blocks, `batch x N` bool.

    `operations` are indices, `batch x N`, and `adjacency` says which node feeds which.
    """
    blocking = [space.operations.index(name) for name in space.blocking_operations]
    fed = ~np.isin(operations, blocking)
    fed[:, list(space.wiring.nodes)] = False
    feeds = fed.copy()
    for node in range(len(space.nodes)):
        if any(target == node for _, target in space.edges):
            fed[:, node] &= (fed & adjacency[:, :, node]).any(1)
    for node in reversed(range(len(space.nodes))):
        if any(source == node for source, _ in space.edges):
            feeds[:, node] &= (feeds & adjacency[:, node]).any(1)
    return fed & feeds


def _unit_counts(labels: np.ndarray, present: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return how often each known label occurs, then the length of the other counts, scaled.

    Labels and `present` are `batch x N`; each row of `batch x (known + 1)` has length 1, or is 0.
    """
    columns = np.searchsorted(known, labels).clip(max=max(len(known) - 1, 0))
    counted = present & np.isin(labels, known)
    counts = np.zeros((len(labels), len(known) + 1))
    rows, nodes = np.nonzero(counted)
    np.add.at(counts, (rows, columns[rows, nodes]), 1)
    same = labels[:, :, None] == labels[:, None, :]
    # The sum over labels of their squared counts is the number of pairs of nodes of one label.
    squared = (same & present[:, :, None] & present[:, None, :]).sum((1, 2))
    counts[:, -1] = np.sqrt(squared - np.square(counts).sum(1))
    return counts / np.sqrt(np.maximum(squared, 1))[:, None]
