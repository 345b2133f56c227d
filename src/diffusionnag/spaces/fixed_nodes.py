"""A search space of which some nodes are decided: the rest is drawn and generated given them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from diffusionnag._seeds import Seed, numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.search_space import ENUMERABLE, SearchSpace

ROUNDS, DRAWN = 100, 64
"""Rounds of so many draws, before what is fixed is taken to allow hardly anything."""


class FixedNodes(SearchSpace):
    """What a search space becomes where some nodes have one operation only: see `fix_nodes`."""

    fixed: Mapping[int, int]
    """Operation by node, as numbers."""
    _whole: SearchSpace

    @property
    def whole(self) -> SearchSpace:
        """The space in which nothing is fixed."""
        return self._whole

    @property
    def fixed_names(self) -> dict[str, str]:
        """Operation by node, by name."""
        pairs = self.fixed.items()
        return {self.nodes[node]: self.operations[operation] for node, operation in pairs}

    def __reduce__(self) -> tuple[Callable[..., FixedNodes], tuple[Any, ...], dict[str, Any]]:
        """Pickle the whole space and what is fixed in it, from which the class is made anew."""
        state = {"conditions": dict(self.conditions)}
        return fix_nodes, (self.whole, self.fixed_names), state

    def choices(self, node: int) -> Sequence[str]:
        """Return the only operation of a fixed node, else those of the space."""
        if node in self.fixed:
            return (self.operations[self.fixed[node]],)
        return super().choices(node)

    # -- rules ------------------------------------------------------------------------------------

    def obeys_rule(self, operations: np.ndarray) -> np.ndarray:
        """Return which rows have the fixed operations and break no rule, `batch` bool."""
        return self._has_fixed(operations) & super().obeys_rule(operations)

    def _obeying(self, drawn: np.ndarray) -> np.ndarray:
        drawn = super()._obeying(drawn[self._has_fixed(drawn)])
        return drawn[self.obeys_rule(drawn)]

    def _has_fixed(self, operations: np.ndarray) -> np.ndarray:
        return (operations[:, list(self.fixed)] == list(self.fixed.values())).all(1)

    # -- drawing and changing ---------------------------------------------------------------------

    def sample_operations(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw architectures with the fixed operations, `count x N`, as the space draws them."""
        kept: list[np.ndarray] = []
        for _ in range(ROUNDS):
            drawn = self.project(self.whole.sample_operations(max(count, DRAWN), rng))
            kept.append(self._obeying(drawn))
            if sum(map(len, kept)) >= count:
                return np.concatenate(kept)[:count]
        raise DiffusionNAGError(f"hardly any {self.name} architecture has {self.describe()}")

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
        pairs = self.fixed_names.items()
        return " and ".join(f"{node} = {operation}" for node, operation in pairs)

    # -- all that is left of the space ------------------------------------------------------------

    # The space may count and walk its whole by what it knows of it; what is left is no such whole.
    combinations = SearchSpace.combinations
    enumerate_operations = SearchSpace.enumerate_operations
    _walk = SearchSpace._walk

    @property
    def is_enumerable(self) -> bool:
        """Whether `enumerate` can walk through what is left in reasonable time."""
        return self.combinations <= ENUMERABLE

    @cached_property
    def size(self) -> int:
        """The number of architectures that are left; of many, how many there are at most."""
        if self.is_enumerable:
            return sum(map(len, self.enumerate_operations()))
        return min(self.whole.size, self.combinations)


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
    if isinstance(space, FixedNodes):
        whole = space.whole.under(**space.conditions)
        return fix_nodes(whole, {**space.fixed_names, **fixed})
    narrowed = copy.copy(space)
    cached = {
        name
        for kind in type(space).__mro__
        for name, value in vars(kind).items()
        if isinstance(value, cached_property)
    }
    for name in cached & vars(narrowed).keys():
        del vars(narrowed)[name]
    narrowed.__class__ = type("FixedNodes", (FixedNodes, type(space)), {})
    assert isinstance(narrowed, FixedNodes)
    narrowed.fixed, narrowed._whole = places, space
    return narrowed


def read_fixed(texts: Sequence[str]) -> dict[str, str]:
    """Return operations by node from texts NODE=OPERATION; raises DiffusionNAGError for others."""
    fixed: dict[str, str] = {}
    for text in texts:
        node, separator, operation = text.partition("=")
        if not separator:
            raise DiffusionNAGError(f"the fixed {text!r} should read like NODE=OPERATION")
        if fixed.setdefault(node, operation) != operation:
            raise DiffusionNAGError(f"node {node} is fixed to two operations; leave one out")
    return fixed
