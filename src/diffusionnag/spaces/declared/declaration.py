"""What a declaration consists of: nodes, stages of layers, edges and rules, as small dataclasses."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.network_tasks import ImageClassification, Task

if TYPE_CHECKING:
    from torch import nn

ABSENT = "none"
"""Operation of every node of a layer that is not there."""
NODE_NAME = r"[^\W\d]\w*"
MOST_NODES = 1_000
"""Nodes of all layers; a generator compares each with each other."""
MOST_WAYS = 1_000
"""Ways to choose a node's inputs, each of which is an operation that the network tells apart."""

Link = tuple[str, str]
"""An edge by the names of its nodes: the first feeds the second."""
Predicate = Callable[[Mapping[str, str]], bool]
"""Takes the operations of all nodes by name; tells whether they may stand together."""

NetworkBuilder = Callable[[Mapping[str, str], Any], "nn.Module"]
"""Takes the operations of all nodes by name, and the `Task` of the network; returns its module."""

SharedNames = Callable[[Mapping[str, str], Sequence[str]], Sequence[str]]
"""Takes the operations of all nodes, and the names of tensors of their network; returns others.

Tensors of the same name are one in a supernet.
"""


@dataclass(frozen=True)
class Stage:
    """Layers of one make, of which the first few are there: as many as one of `depths`.

    `layer` names the nodes of a layer, and the operations that are allowed at each. The node `conv`
    of the second layer of a stage `body` is called `body2.conv`.
    """

    layer: Mapping[str, Sequence[str]]
    depths: Sequence[int]

    def operations_by_node(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return the operations that are allowed at each node of all layers of a stage so named."""
        operations: dict[str, tuple[str, ...]] = {}
        for number in range(1, max(self.depths) + 1):
            absent = () if number <= min(self.depths) else (ABSENT,)
            for part, allowed in self.layer.items():
                operations[f"{name}{number}.{part}"] = (*allowed, *absent)
        return operations


@dataclass(frozen=True)
class Edges:
    """Edges that are always there, edges that may be there, or a number of inputs for each node.

    `fixed` ones are always there, a `chain` leading from each node to the next. Each of the `free`
    ones is there or not, `all` being those from any node to any later one; a node that can be fed
    then is, and one that can feed another does. With `inputs`, each node is fed by so many of the
    earlier ones (all, where there are fewer), and the last node by what feeds no other.
    """

    fixed: Collection[Link] | Literal["chain"] = ()
    free: Collection[Link] | Literal["all"] = ()
    inputs: int = 0


CHAIN = Edges(fixed="chain")


@dataclass(frozen=True)
class Declaration:
    """A search space as data; strings, validity, draws, mutation and size follow from it.

    `nodes` names, in the order of the computation, nodes with the operations that are allowed
    there, and stages. Each of the `rules` gets the operation of every node by name, nodes that
    decide on edges included; the first line of its docstring says what it asks for. Raises
    DiffusionNAGError, saying what is wrong, when the parts do not fit together.
    """

    name: str
    nodes: Mapping[str, Sequence[str] | Stage]
    edges: Edges = CHAIN
    rules: Sequence[Predicate] = ()
    description: str = ""
    network: NetworkBuilder | None = None
    """Builds the module of an architecture, from the operation of every node by name."""
    shared_names: SharedNames | None = None
    """Says which tensors of its networks are one in a supernet."""
    task: Task = field(default_factory=ImageClassification)
    """What its networks are built for if nothing else is said."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise DiffusionNAGError(f"{self.name!r} is no name: letters, digits, _ . - are")
        for name, value in self.nodes.items():
            _check_name(name)
            if isinstance(value, Stage):
                _check_stage(name, value)
            else:
                _check_operations(f"node {name}", value)
        names = self._node_names()
        if len(names) < 2:
            raise DiffusionNAGError("`nodes` needs two nodes at least")
        self._check_edges(names)

    @property
    def operations_by_node(self) -> dict[str, tuple[str, ...]]:
        """The operations that are allowed at each node, those of all layers of a stage included."""
        operations: dict[str, tuple[str, ...]] = {}
        for name, value in self.nodes.items():
            if isinstance(value, Stage):
                operations |= value.operations_by_node(name)
            else:
                operations[name] = tuple(value)
        return operations

    def _node_names(self) -> list[str]:
        """Return the names of all nodes; raises DiffusionNAGError for too many and for clashes."""
        count = sum(
            len(value.layer) * max(value.depths) if isinstance(value, Stage) else 1
            for value in self.nodes.values()
        )
        if count > MOST_NODES:
            raise DiffusionNAGError(
                f"there are {count:,} nodes in all layers; {MOST_NODES:,} are the most"
            )
        owners: dict[str, str] = {}
        for name, value in self.nodes.items():
            for node in value.operations_by_node(name) if isinstance(value, Stage) else [name]:
                if node in owners:
                    raise DiffusionNAGError(
                        f"the stages {owners[node]} and {name} both have a node {node}; rename one"
                    )
                owners[node] = name
        return list(owners)

    @property
    def fixed_links(self) -> list[Link]:
        """The edges that are always there, by the names of their nodes."""
        if self.edges.fixed == "chain":
            return list(itertools.pairwise(self.operations_by_node))
        return list(self.edges.fixed)

    @property
    def free_links(self) -> list[Link]:
        """The edges that are there or not, by the names of their nodes."""
        if self.edges.free == "all":
            fixed = set(self.fixed_links)
            pairs = itertools.combinations(self.operations_by_node, 2)
            return [pair for pair in pairs if pair not in fixed]
        return list(self.edges.free)

    def _check_edges(self, names: list[str]) -> None:
        edges = self.edges
        if bool(edges.inputs) == bool(edges.fixed or edges.free):
            raise DiffusionNAGError("`edges` needs `fixed`, `free`, or both; or `inputs` alone")
        if edges.inputs < 0:
            raise DiffusionNAGError(f"{edges.inputs} inputs a node are too few; 1 is the least")
        stages = [value for value in self.nodes.values() if isinstance(value, Stage)]
        varied = edges.free or edges.inputs
        if varied and any(len(set(stage.depths)) > 1 for stage in stages):
            raise DiffusionNAGError(
                "where edges vary, all nodes must be there: give each stage one depth, or fix edges"
            )
        ways = math.comb(len(names) - 2, edges.inputs)
        if edges.inputs and ways > MOST_WAYS:
            raise DiffusionNAGError(
                f"there are {ways:,} ways to choose {edges.inputs} inputs among "
                f"{len(names) - 2} nodes; {MOST_WAYS:,} are the most"
            )
        seen: set[Link] = set()
        for link in [*self.fixed_links, *self.free_links]:
            for end in link:
                if end not in names:
                    raise DiffusionNAGError(
                        f"an edge names the node {end!r}; there are {', '.join(names)}"
                    )
            source, target = link
            if names.index(source) >= names.index(target):
                raise DiffusionNAGError(
                    f"the edge {source} > {target} does not lead to a later node; `nodes` has them "
                    "in the order of the computation"
                )
            if link in seen:
                raise DiffusionNAGError(f"the edge {source} > {target} is given twice")
            seen.add(link)


def _check_name(name: str) -> None:
    if not re.fullmatch(NODE_NAME, name):
        raise DiffusionNAGError(
            f"{name!r} is no name of a node: letters, digits and _ are, a letter first"
        )


def _check_stage(name: str, stage: Stage) -> None:
    if not stage.layer:
        raise DiffusionNAGError(f"stage {name} needs a `layer` with one node at least")
    if not stage.depths or min(stage.depths) < 1 or len(set(stage.depths)) < len(stage.depths):
        raise DiffusionNAGError(
            f"stage {name} needs `depths`, different numbers of layers from 1 on"
        )
    for part, operations in stage.layer.items():
        _check_name(part)
        _check_operations(f"node {part} of stage {name}", operations)
        if ABSENT in operations:
            raise DiffusionNAGError(
                f"node {part} of stage {name} cannot have the operation {ABSENT!r}, which stands "
                "for a layer that is not there"
            )


def _check_operations(where: str, operations: Sequence[str]) -> None:
    if isinstance(operations, str) or not operations:
        raise DiffusionNAGError(f"{where} needs a list of operations")
    for operation in operations:
        if not operation or not operation.isprintable() or "|" in operation:
            raise DiffusionNAGError(
                f"{where} has {operation!r}, which is no name of an operation: it must be printable, "
                "and without |"
            )
    if len(set(operations)) < len(operations):
        raise DiffusionNAGError(f"{where} has an operation twice")
