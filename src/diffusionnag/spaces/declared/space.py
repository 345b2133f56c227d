"""The search space of a declaration: all that a `SearchSpace` promises, from data alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.declared.declaration import Declaration
from diffusionnag.spaces.declared.edges import PRESENT, DeclaredWiring
from diffusionnag.spaces.declared.rules import broken_rule
from diffusionnag.spaces.declared.sections import Section, sections_of
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.search_space import SearchSpace

if TYPE_CHECKING:
    from torch import nn


class DeclaredSpace(SearchSpace):
    """A space whose parts are those of a declaration; `declared_space` makes one."""

    declaration: ClassVar[Declaration]
    declared_wiring: ClassVar[DeclaredWiring]
    allowed_names: ClassVar[Mapping[str, Sequence[str]]]
    """The operations that are allowed at each node by name, wiring nodes included."""

    def choices(self, node: int) -> Sequence[str]:
        """Return the operations that are declared for a node."""
        return self.allowed_names[self.nodes[node]]

    def edge_condition(self, source: int, target: int) -> Mapping[str, Collection[str]]:
        """Return the operations of wiring nodes on which an edge depends."""
        return self.declared_wiring.conditions[source, target]

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Single nodes and stages, in the order of the nodes."""
        return sections_of(self.declaration, self.allowed_names, self.operations)

    def __reduce__(self) -> tuple[Callable[[Declaration], SearchSpace], tuple[Declaration]]:
        """Pickle the declaration, from which the class is made anew."""
        return _restored, (self.declaration,)

    # -- networks ---------------------------------------------------------------------------------

    @property
    def builds_networks(self) -> bool:
        """Whether the declaration names a function that builds them."""
        return self.declaration.network is not None

    @property
    def has_own_builder(self) -> bool:
        """Whether the declaration names a function, all of which are a user's own."""
        return self.builds_networks

    def build_network(self, architecture: Architecture, task: Any) -> nn.Module:
        """Return what the declared function builds."""
        assert self.declaration.network is not None
        names = self.operation_names(architecture)
        return self.declaration.network(dict(zip(self.nodes, names, strict=True)), task)

    @property
    def shares_weights(self) -> bool:
        """Whether the declaration names a function that says which weights are shared."""
        return self.declaration.shared_names is not None

    def shared_names(self, architecture: Architecture, names: Sequence[str]) -> list[str]:
        """Return what the declared function returns."""
        assert self.declaration.shared_names is not None
        operations = self.operation_names(architecture)
        named = dict(zip(self.nodes, operations, strict=True))
        return list(self.declaration.shared_names(named, names))

    # -- rules ------------------------------------------------------------------------------------

    def rule(self, operations: Sequence[str]) -> str | None:
        """Forbid gaps in stages, nodes that free edges leave alone, and what the rules forbid."""
        for section in self.sections:
            if fault := section.fault(operations):
                return fault
        named = dict(zip(self.nodes, operations, strict=True))
        for switches, fault in self.declared_wiring.open_ends:
            if all(named[switch] != PRESENT for switch in switches):
                return fault
        return broken_rule(self.declaration.rules, named)

    @cached_property
    def has_rule(self) -> bool:
        """Whether some combinations of allowed operations are forbidden."""
        return self._is_thinned or any(section.varies for section in self.sections)

    @property
    def _is_thinned(self) -> bool:
        """Whether something is forbidden beside gaps in stages, which are never drawn."""
        return bool(self.declared_wiring.open_ends or self.declaration.rules)

    def _obeying(self, drawn: np.ndarray) -> np.ndarray:
        for switches, _ in self.declared_wiring.open_ends:
            columns = [self.nodes.index(switch) for switch in switches]
            drawn = drawn[(drawn[:, columns] == self.operations.index(PRESENT)).any(1)]
        if not self.declaration.rules:
            return drawn
        rows = np.array(self.operations, dtype=object)[drawn].tolist()
        named = (dict(zip(self.nodes, row, strict=True)) for row in rows)
        return drawn[[broken_rule(self.declaration.rules, row) is None for row in named]]

    # -- drawing and changing ---------------------------------------------------------------------

    def _propose(self, count: int, rng: np.random.Generator) -> np.ndarray:
        # Were all architectures equally likely, hardly a stage would be less than full.
        parts = [section.draw(count, rng, [1] * len(section.depths)) for section in self.sections]
        return np.concatenate(parts, axis=1)

    def _combine_at_random(self, count: int, rng: np.random.Generator) -> np.ndarray:
        parts = [section.draw(count, rng, section.ways) for section in self.sections]
        return np.concatenate(parts, axis=1)

    def changes(self, operations: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Yield what one change makes: another operation at a node, or the next depth of a stage.

        Layers that are added are like the one before them.
        """
        yield from super().changes(operations)
        for section in self.sections:
            yield from section.other_depths(operations)

    # -- the whole space --------------------------------------------------------------------------

    @cached_property
    def combinations(self) -> int:
        """The number of architectures if free edges and rules forbade none."""
        return math.prod(sum(section.ways) for section in self.sections)

    @cached_property
    def size(self) -> int:
        """The number of architectures; estimated from 10,000 draws for a large space with rules."""
        return super().size if self._is_thinned else self.combinations

    def _walk(self) -> Iterator[tuple[int, ...]]:
        for parts in itertools.product(*(section.walk() for section in self.sections)):
            yield tuple(itertools.chain.from_iterable(parts))


def _restored(declaration: Declaration) -> SearchSpace:
    """Return the space that was pickled, in whatever process."""
    return declared_space(declaration)()


def declared_space(declaration: Declaration) -> type[SearchSpace]:
    """Return the class of the search space that a declaration describes."""
    wiring = DeclaredWiring.of(declaration)
    allowed = {**declaration.operations_by_node, **wiring.wiring_nodes}
    parts = {
        "__doc__": declaration.description,
        "name": declaration.name,
        "nodes": tuple(allowed),
        "operations": tuple(dict.fromkeys(itertools.chain.from_iterable(allowed.values()))),
        "edges": tuple(sorted(wiring.conditions)),
        "declaration": declaration,
        "declared_wiring": wiring,
        "allowed_names": allowed,
        "networks": NetworkFamily(declaration.task),
    }
    return type(declaration.name, (DeclaredSpace,), parts)
