"""The contract of a search space, and everything that follows from a space's declaration."""

from __future__ import annotations

import copy
import itertools
import math
from abc import ABC
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from diffusionnag._memory import check_fits
from diffusionnag._seeds import Seed, numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.architecture import UNDECIDED, Architecture, Edge, Validity
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.wiring import Wiring

if TYPE_CHECKING:
    from torch import nn

ENUMERABLE = 1_000_000
"""Largest number of combinations that is walked through one by one."""
ROUNDS, DRAWN = 1_000, 64
"""Rounds of as many draws as are missing, and as many again of at least so many, before a rule is
taken to be impossible to satisfy by chance."""
BYTES = 200
"""What an architecture holds in memory beside its nodes."""
CHUNK = 50_000
"""Combinations that are looked at together when a space is walked through."""


class SearchSpace(ABC):
    """A set of architectures; subclass it, name its parts, and add the rules it has.

    Only `name`, `nodes`, `operations` and `edges` are required. `choices` narrows which operations
    may stand at a node; `rule` forbids combinations. `format` and `parse` define the string form.
    `edges` are all that there may be; where the wiring varies, `edge_condition` says what decides
    whether an edge is there.
    """

    name: ClassVar[str]
    nodes: ClassVar[tuple[str, ...]]
    operations: ClassVar[tuple[str, ...]]
    edges: ClassVar[tuple[Edge, ...]]
    blocking_operations: ClassVar[tuple[str, ...]] = ()
    """Operations that let nothing through, so that every path through their node is cut."""
    networks: ClassVar[NetworkFamily] = NetworkFamily()
    """What networks are built for if nothing else is said, and how they are counted."""
    analytic_conditions: ClassVar[tuple[str, ...]] = ()
    """Names of what analytic properties depend on besides the architecture, such as `resolution`."""
    conditions: Mapping[str, float] = MappingProxyType({})
    """Under which conditions, by name, properties are asked for; set by `under`."""
    elastic_kinds: ClassVar[tuple[str, ...]] = ()
    """What networks may have less of than the largest one, in the order in which it shrinks."""

    # -- what a subclass may override -------------------------------------------------------------

    def choices(self, node: int) -> Sequence[str]:
        """Return the operations that may stand at node number `node`; all of them by default."""
        return self.operations

    def rule(self, operations: Sequence[str]) -> str | None:
        """Return why these N operations may not stand together, or None if they may."""
        return None

    def edge_condition(self, source: int, target: int) -> Mapping[str, Collection[str]]:
        """Return the operations of other nodes, by name, on which an edge of `edges` depends.

        The edge is there where each of these nodes has one of its operations; always by default. A
        node that is at the end of no edge, and only decides on edges, is a wiring node: so the
        wiring E is diffused together with the operations V.
        """
        return {}

    def canonical(self, operations: np.ndarray) -> np.ndarray:
        """Return the form that stands for all that are the same architecture, `batch x N` indices.

        By default each stands for itself. Operations are allowed at their nodes, but may break the
        rule; the form keeps the rule if they do.
        """
        return operations

    def format(self, architecture: Architecture) -> str:
        """Return the string form of a valid architecture; by default its operations joined by `|`."""
        return "|".join(self.operation_names(architecture))

    def parse(self, text: str) -> Architecture:
        """Return the architecture that a string describes, the inverse of `format`.

        White space around the operations means nothing. Raises DiffusionNAGError, naming the
        offending part, when it describes none.
        """
        parts = text.split("|")
        return self.build(
            [part if part in self.operations else part.strip() for part in parts], text
        )

    def positions(self) -> tuple[int, ...]:
        """Return each node's place in the computational flow, for sinusoidal position embeddings."""
        return tuple(range(len(self.nodes)))

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return the properties that follow from the architecture alone, such as its size."""
        return {}

    def interactions(self) -> tuple[tuple[int, ...], ...]:
        """Return groups of nodes whose operations count together in the analytic properties.

        Each analytic property must be a sum over these groups, by default over single nodes; or the
        maximum over single nodes.
        """
        return tuple((node,) for node in range(len(self.nodes)))

    def build_network(self, architecture: Architecture, task: Any) -> nn.Module:
        """Return the network of a valid architecture, freshly initialised by torch's generator.

        It takes and returns what the `Task` says: `batch x *task.input_shape` goes in, and
        `batch x *task.output_shape` comes out. A space of images may be asked for its own kind only.
        """
        raise NotImplementedError

    def shared_names(self, architecture: Architecture, names: Sequence[str]) -> list[str]:
        """Return the names under which a supernet keeps these tensors of an architecture's network.

        Networks whose tensors have the same name there share them: a smaller one has the first
        channels and the middle of a kernel. A space that has a supernet overrides this.
        """
        raise NotImplementedError

    def extremes(self) -> tuple[Architecture, ...]:
        """Return the largest network and the smallest, where one contains all others; else nothing."""
        return ()

    def enlarged(self, architecture: Architecture, elastic: Collection[str]) -> Architecture:
        """Return an architecture with its largest choices, but for those of `elastic` kinds.

        A space with `elastic_kinds` overrides this.
        """
        return architecture

    @property
    def whole(self) -> SearchSpace:
        """The space of which this is a part: itself, unless nodes are fixed (see `fix_nodes`)."""
        return self

    def under(self, **conditions: float) -> Self:
        """Return this space with properties under these conditions, such as `resolution=192`.

        Analytic properties are computed for them, and predictors that are read for the space predict
        for them. The architectures stay the same.
        """
        space = copy.copy(self)
        space.conditions = {**self.conditions, **conditions}
        return space

    # -- rules ------------------------------------------------------------------------------------

    @cached_property
    def allowed(self) -> np.ndarray:
        """Which operations may stand at which node, `N x F` bool."""
        allowed = np.zeros((len(self.nodes), len(self.operations)), dtype=bool)
        for node in range(len(self.nodes)):
            for operation in self.choices(node):
                allowed[node, self.operations.index(operation)] = True
        return allowed

    @cached_property
    def has_rule(self) -> bool:
        """Whether some combinations of allowed operations are forbidden."""
        return type(self).rule is not SearchSpace.rule

    @cached_property
    def has_twins(self) -> bool:
        """Whether different operations may be the same architecture."""
        return type(self).canonical is not SearchSpace.canonical

    @property
    def builds_networks(self) -> bool:
        """Whether the space says how its networks are built."""
        return type(self).build_network is not SearchSpace.build_network

    @property
    def has_own_builder(self) -> bool:
        """Whether a user's own code builds the networks, which may fail for some architectures."""
        library = type(self).build_network.__module__.startswith("diffusionnag.")
        return self.builds_networks and not library

    @property
    def shares_weights(self) -> bool:
        """Whether the space says which weights its networks can share, so that it has a supernet."""
        return type(self).shared_names is not SearchSpace.shared_names

    @cached_property
    def wiring(self) -> Wiring:
        """Which edges there are, from the operations of nodes."""
        return Wiring.of(self.nodes, self.operations, self.edges, self.edge_condition)

    def is_valid(self, architecture: Architecture) -> Validity:
        """Tell whether an architecture belongs to the space; the result is falsy with a reason if not."""
        if len(architecture.operations) != len(self.nodes):
            return Validity(f"it has {len(architecture.operations)} nodes, not {len(self.nodes)}")
        if architecture.edges != self.wiring.edges_of(architecture.operations):
            return Validity(f"its wiring is not the one of {self.name}")
        for node, operation in enumerate(architecture.operations):
            if operation == UNDECIDED:
                return Validity(f"node {self.nodes[node]} has no operation")
            if not 0 <= operation < len(self.operations):
                return Validity(f"node {self.nodes[node]} has no operation number {operation}")
            if not self.allowed[node, operation]:
                named, expected = self.operations[operation], ", ".join(self.choices(node))
                return Validity(f"node {self.nodes[node]} cannot be {named}; it can be {expected}")
        if self.has_rule:
            return Validity(self.rule(self.operation_names(architecture)) or "")
        return Validity()

    # -- strings and matrices ---------------------------------------------------------------------

    def operation_names(self, architecture: Architecture) -> list[str]:
        """Return the N operations of an architecture by name."""
        return [self.operations[operation] for operation in architecture.operations]

    def build(self, operations: Sequence[str], text: str | None = None) -> Architecture:
        """Return the valid architecture with these N operations; `text` is how the user wrote it.

        Raises DiffusionNAGError when an operation is unknown or a rule is broken.
        """
        written = text if text is not None else "|".join(operations)
        if len(operations) != len(self.nodes):
            expected = f"{len(self.nodes)} operations are expected, {len(operations)} were found"
            raise self.malformed(written, expected)
        for node, operation in zip(self.nodes, operations, strict=True):
            if operation not in self.operations:
                known = ", ".join(self.operations)
                raise self.malformed(written, f"node {node}: no operation {operation!r} ({known})")
        indices = [self.operations.index(operation) for operation in operations]
        (architecture,) = self.architectures(np.array([indices]))
        validity = self.is_valid(architecture)
        if not validity:
            raise self.malformed(written, validity.reason)
        return architecture

    def malformed(self, text: str, reason: str) -> DiffusionNAGError:
        """Return the error for a string that is no architecture of this space."""
        shown = text if len(text) <= 120 else text[:117] + "..."
        return DiffusionNAGError(f"{shown!r} is no {self.name} architecture: {reason}")

    def architectures(self, operations: np.ndarray) -> list[Architecture]:
        """Return the architectures of operation indices `batch x N`, each in its canonical form."""
        if self.has_twins:
            allowed = self.allowed[np.arange(len(self.nodes)), operations] & (operations >= 0)
            complete = allowed.all(1)
            operations = operations.copy()
            operations[complete] = self.canonical(operations[complete])
        wirings = self.wiring.edges_of_each(operations)
        rows = operations.tolist()
        return [Architecture(tuple(row), edges) for row, edges in zip(rows, wirings, strict=True)]

    def encode(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return V of each architecture as one-hot rows, `batch x N x F` float32."""
        return self.one_hot(operation_indices(architectures, len(self.nodes)))

    def one_hot(self, operations: np.ndarray) -> np.ndarray:
        """Return V of operation indices `batch x N` as one-hot rows, `batch x N x F` float32."""
        return np.eye(len(self.operations), dtype=np.float32)[operations]

    def decode(self, matrices: np.ndarray) -> list[Architecture]:
        """Return the architectures of real-valued matrices `batch x N x F`, without any repair.

        Entries are rounded by 1[> 0.5] (paper, section 2.1); a row that then names no operation,
        or more than one, is `UNDECIDED`, so that `is_valid` reports it.
        """
        chosen = matrices > 0.5
        return self.architectures(np.where(chosen.sum(-1) == 1, chosen.argmax(-1), UNDECIDED))

    # -- drawing architectures --------------------------------------------------------------------

    def sample_operations(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw valid architectures as operation indices, `count x N`.

        Every allowed operation of a node is equally likely, conditioned on the rule and on being
        in canonical form by rejection; so each architecture is equally likely. Raises
        DiffusionNAGError if nearly everything is rejected.
        """
        kept: list[np.ndarray] = []
        missing, rounds = count, 0
        while missing > 0:
            if rounds == 2 * ROUNDS:
                raise DiffusionNAGError(
                    f"the rule of {self.name} rejected nearly all of {rounds:,} rounds of random "
                    "draws; narrow `choices`, or override `sample_operations`"
                )
            # What is missing last is drawn one by one, which is bad luck for a rule that refuses much;
            # to draw more from the start would change what follows from a seed.
            wanted = missing if rounds < ROUNDS else max(missing, DRAWN)
            drawn = self._obeying(self._propose(wanted, rng))[:missing]
            kept.append(drawn)
            missing -= len(drawn)
            rounds += 1
        return np.concatenate(kept) if kept else np.zeros((0, len(self.nodes)), dtype=np.int64)

    def _propose(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw what is to become architectures, `count x N` indices, before anything is rejected."""
        return self._combine_at_random(count, rng)

    def _combine_at_random(self, count: int, rng: np.random.Generator) -> np.ndarray:
        options = [np.flatnonzero(row) for row in self.allowed]
        return np.stack([rng.choice(option, size=count) for option in options], axis=1)

    def _obeying(self, drawn: np.ndarray) -> np.ndarray:
        """Return the rows that are in canonical form and break no rule."""
        if self.has_twins:
            drawn = drawn[(self.canonical(drawn) == drawn).all(1)]
        obeys = self.obeys_rule(drawn)
        return drawn if obeys.all() else drawn[obeys]

    def obeys_rule(self, operations: np.ndarray) -> np.ndarray:
        """Return which rows of allowed operations, `batch x N` indices, break no rule, bool.

        Override it where all rows can be looked at together: `rule` is asked row by row.
        """
        if not self.has_rule:
            return np.ones(len(operations), dtype=bool)
        names = np.array(self.operations, dtype=object)[operations]
        return np.array([self.rule(row) is None for row in names.tolist()], dtype=bool)

    def sample(self, count: int, seed: Seed = 0) -> list[Architecture]:
        """Draw `count` architectures uniformly over the space's choices, with replacement.

        Raises DiffusionNAGError for a number below 0, and one that memory cannot hold.
        """
        if count < 0:
            raise DiffusionNAGError(f"cannot draw {count} architectures")
        check_fits(f"{count:,} architectures", count * (BYTES + 16 * len(self.nodes)))
        return self.architectures(self.sample_operations(count, numpy_generator(seed)))

    def mutate(self, architecture: Architecture, seed: Seed = 0) -> Architecture:
        """Return a valid architecture that is made from a valid one by one change."""
        rng = numpy_generator(seed)
        neighbours = list(self.neighbours(architecture))
        if not neighbours:
            raise DiffusionNAGError(f"no single change keeps this {self.name} architecture valid")
        return neighbours[rng.integers(len(neighbours))]

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Yield every valid architecture that is made by one of the `changes`."""
        changed = list(self.changes(architecture.operations))
        made = self.architectures(np.array(changed, dtype=np.int64).reshape(-1, len(self.nodes)))
        for candidate in dict.fromkeys(made):
            if candidate != architecture and self.is_valid(candidate):
                yield candidate

    def changes(self, operations: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Yield N operations with another allowed one at exactly one node, valid or not."""
        for node, allowed in enumerate(self.allowed):
            for operation in np.flatnonzero(allowed).tolist():
                if operation != operations[node]:
                    yield (*operations[:node], operation, *operations[node + 1 :])

    # -- the whole space --------------------------------------------------------------------------

    @cached_property
    def combinations(self) -> int:
        """The number of ways to place allowed operations, the rule not considered."""
        return math.prod(int(row.sum()) for row in self.allowed)

    @property
    def is_enumerable(self) -> bool:
        """Whether `enumerate` can walk through the space in reasonable time."""
        return self.combinations <= ENUMERABLE

    @cached_property
    def size(self) -> int:
        """The number of architectures; estimated from 10,000 draws for a large space with a rule."""
        if not self.has_rule and not self.has_twins:
            return self.combinations
        if self.is_enumerable:
            return sum(map(len, self.enumerate_operations()))
        draws = 10_000
        drawn = self._combine_at_random(draws, np.random.default_rng(0))
        accepted = len(self._obeying(drawn))
        return self.combinations * max(1, accepted) // draws

    def enumerate(self) -> Iterator[Architecture]:
        """Yield every architecture once, the last node's operation changing fastest.

        Raises DiffusionNAGError when the space is too large to be walked through.
        """
        for operations in self.enumerate_operations():
            yield from self.architectures(operations)

    def enumerate_operations(self) -> Iterator[np.ndarray]:
        """Yield every architecture once, as `enumerate` does, in chunks of indices, `chunk x N`."""
        if not self.is_enumerable:
            raise DiffusionNAGError(
                f"{self.name} has up to {self.combinations:.1e} architectures, too many to "
                "enumerate; draw some with `sample`"
            )
        combinations = self._walk()
        while chunk := list(itertools.islice(combinations, CHUNK)):
            yield self._obeying(np.array(chunk, dtype=np.int64))

    def _walk(self) -> Iterator[tuple[int, ...]]:
        return itertools.product(*(np.flatnonzero(row).tolist() for row in self.allowed))


def operation_indices(architectures: Iterable[Architecture], nodes: int) -> np.ndarray:
    """Return the operation indices of architectures, `batch x N` int64."""
    rows = [architecture.operations for architecture in architectures]
    return np.array(rows, dtype=np.int64).reshape(len(rows), nodes)
