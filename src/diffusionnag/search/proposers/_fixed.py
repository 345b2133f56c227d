"""A search space of which some nodes are decided: the rest is proposed given them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from diffusionnag._seeds import Seed, numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance import Guidance
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.spaces import Architecture, SearchSpace

SMALLEST_SHARE = 1e-3
"""Of an operation at a node that is not clean yet, so that its logarithm has a slope."""

ROUNDS, DRAWN = 100, 64
"""Rounds of so many draws, before what is fixed is taken to allow hardly anything."""


class FixedNodes(SearchSpace):
    """What a search space becomes where some nodes have one operation only: see `fix_nodes`."""

    fixed: Mapping[int, int]
    """Operation by node, as numbers."""
    whole: SearchSpace
    """The space in which nothing is fixed."""

    def choices(self, node: int) -> Sequence[str]:
        """Return the only operation of a fixed node, else those of the space."""
        if node in self.fixed:
            return (self.operations[self.fixed[node]],)
        return super().choices(node)

    def sample_operations(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw architectures with the fixed operations, `count x N`, as the space draws them."""
        kept: list[np.ndarray] = []
        for _ in range(ROUNDS):
            drawn = self.project(self.whole.sample_operations(max(count, DRAWN), rng))
            kept.append(self._obeying(drawn))
            if sum(map(len, kept)) >= count:
                return np.concatenate(kept)[:count]
        raise DiffusionNAGError(f"hardly any {self.name} architecture has {self.describe()}")

    def _obeying(self, drawn: np.ndarray) -> np.ndarray:
        nodes, operations = list(self.fixed), list(self.fixed.values())
        return super()._obeying(drawn[(drawn[:, nodes] == operations).all(1)])

    def mutate(self, architecture: Architecture, seed: Seed = 0) -> Architecture:
        """Return a valid architecture with the fixed operations, made by one further change."""
        rng = numpy_generator(seed)
        neighbours = list(self.neighbours(architecture))
        return neighbours[rng.integers(len(neighbours))] if neighbours else self.sample(1, rng)[0]

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Yield what is made by one change after the fixed operations have taken their places."""
        (inside,) = self.with_fixed([architecture])
        if inside != architecture and self.is_valid(inside):
            yield inside
        yield from super().neighbours(inside)

    def project(self, operations: np.ndarray) -> np.ndarray:
        """Return operation indices `batch x N` with the fixed ones in their places."""
        operations = operations.copy()
        operations[:, list(self.fixed)] = list(self.fixed.values())
        return operations

    def with_fixed(self, architectures: Sequence[Architecture]) -> list[Architecture]:
        """Return architectures with the fixed operations in their places, valid or not."""
        rows = np.array([architecture.operations for architecture in architectures])
        return self.architectures(self.project(rows.reshape(-1, len(self.nodes))))

    def describe(self) -> str:
        """Return what is fixed in words."""
        pairs = self.fixed.items()
        return " and ".join(f"{self.nodes[node]} = {self.operations[op]}" for node, op in pairs)


def fix_nodes(space: SearchSpace, fixed: Mapping[str, str]) -> FixedNodes:
    """Return a space with these operations at nodes, by name, and everything else as it was.

    Raises DiffusionNAGError for a node or an operation that the space does not have.
    """
    places = {}
    for node, operation in fixed.items():
        if node not in space.nodes:
            raise DiffusionNAGError(f"{space.name} has no node {node!r}: {', '.join(space.nodes)}")
        place = space.nodes.index(node)
        if operation not in space.choices(place):
            known = ", ".join(space.choices(place))
            raise DiffusionNAGError(f"node {node} cannot be {operation!r}; it can be {known}")
        places[place] = space.operations.index(operation)
    narrowed = copy.copy(space)
    known = {
        name
        for kind in type(space).__mro__
        for name, value in vars(kind).items()
        if isinstance(value, cached_property)
    }
    for name in known & vars(narrowed).keys():
        del vars(narrowed)[name]
    narrowed.__class__ = type("FixedNodes", (FixedNodes, type(space)), {})
    assert isinstance(narrowed, FixedNodes)
    narrowed.fixed, narrowed.whole = places, space
    return narrowed


class FixedGuidance(Guidance):
    """Guidance to the fixed operations, so that the others are generated to go with them."""

    def __init__(self, space: FixedNodes) -> None:
        self.nodes = torch.tensor(list(space.fixed))
        self.operations = torch.tensor(list(space.fixed.values()))

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return k times the logarithm of the fixed operations' shares, `batch`."""
        shares = clean[:, self.nodes, self.operations].clamp(min=SMALLEST_SHARE)
        return GUIDANCE_SCALE * shares.log().sum(1)
