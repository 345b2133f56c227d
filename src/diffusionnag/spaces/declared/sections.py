"""Sections of a declared space: single nodes and stages, which are drawn and counted one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.spaces.architecture import UNDECIDED
from diffusionnag.spaces.declared.declaration import ABSENT, Declaration, Stage

ONE = (1, (1,))
"""Width and depths of a single node."""


@dataclass(frozen=True)
class Section:
    """A single node, or the layers of a stage, whose nodes follow each other."""

    name: str
    first: int
    """The number of its first node."""
    width: int
    """How many nodes a layer has."""
    depths: tuple[int, ...]
    """The numbers of layers that there may be, in ascending order; 1 for a single node."""
    options: tuple[tuple[int, ...], ...]
    """The operations, as indices, that each of its nodes can have if its layer is there."""
    absent: int
    """The operation of nodes whose layer is not there; `UNDECIDED` if all layers always are."""

    @property
    def end(self) -> int:
        """The number of the node that follows the deepest layer."""
        return self.start_of(self.depths[-1])

    @property
    def varies(self) -> bool:
        """Whether layers may be absent."""
        return len(self.depths) > 1

    @property
    def ways(self) -> list[int]:
        """How many different sections there are of each depth."""
        return [math.prod(map(len, self.options[: self.width * depth])) for depth in self.depths]

    def start_of(self, layer: int) -> int:
        """Return the number of the first node of a layer; layers are counted from 0."""
        return self.first + self.width * layer

    def fault(self, operations: Sequence[str]) -> str | None:
        """Return why the section cannot have its part of N operations, or None if it can."""
        if not self.varies:
            return None
        absent = [operation == ABSENT for operation in operations[self.first : self.end]]
        there = absent.count(False)
        depth, rest = divmod(there, self.width)
        if rest or any(absent[:there]):
            return f"stage {self.name} has a layer that is partly there, or follows an absent one"
        if depth not in self.depths:
            allowed = ", ".join(map(str, self.depths))
            return f"stage {self.name} cannot have {depth} layers; it can have {allowed}"
        return None

    def draw(
        self, count: int, rng: np.random.Generator, depth_weights: Sequence[int]
    ) -> np.ndarray:
        """Draw depths by their weights, and operations uniformly, `count x nodes` indices."""
        drawn = np.stack([rng.choice(options, size=count) for options in self.options], axis=1)
        shares = [weight / sum(depth_weights) for weight in depth_weights]
        depths = rng.choice(self.depths, size=count, p=shares)
        layers = np.arange(self.end - self.first) // self.width
        return np.where(layers < depths[:, None], drawn, self.absent)

    def walk(self) -> Iterator[tuple[int, ...]]:
        """Yield the operations of every section there is, the last node's changing fastest."""
        for depth in self.depths:
            there = self.options[: self.width * depth]
            rest = (self.absent,) * (len(self.options) - len(there))
            for row in itertools.product(*there):
                yield (*row, *rest)

    def other_depths(self, operations: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Yield N operations with the next smaller and the next larger depth of this section.

        Layers that are added are like the one before them.
        """
        there = sum(operation != self.absent for operation in operations[self.first : self.end])
        place = self.depths.index(there // self.width)
        for depth in self.depths[max(0, place - 1) : place + 2]:
            row = list(operations)
            for node in range(self.first + there, self.start_of(depth)):
                row[node] = row[node - self.width]
            for node in range(self.start_of(depth), self.end):
                row[node] = self.absent
            yield tuple(row)


def sections_of(
    declaration: Declaration, allowed: Mapping[str, Sequence[str]], operations: Sequence[str]
) -> tuple[Section, ...]:
    """Return the sections of a space, wiring nodes last.

    `allowed` holds the operations of all N nodes by name, `operations` are the space's F.
    """
    shapes = {
        name: (len(value.layer), tuple(sorted(value.depths))) if isinstance(value, Stage) else ONE
        for name, value in declaration.nodes.items()
    }
    shapes |= dict.fromkeys(list(allowed)[len(declaration.operations_by_node) :], ONE)
    sections: list[Section] = []
    for name, (width, depths) in shapes.items():
        first = sections[-1].end if sections else 0
        nodes = list(allowed.values())[first : first + width * depths[-1]]
        gap = ABSENT if len(depths) > 1 else None
        options = tuple(
            tuple(operations.index(operation) for operation in node if operation != gap)
            for node in nodes
        )
        absent = operations.index(gap) if gap else UNDECIDED
        sections.append(Section(name, first, width, depths, options, absent))
    return tuple(sections)
