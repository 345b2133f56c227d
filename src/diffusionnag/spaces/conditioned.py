"""A search space with one node more, whose operation is a condition of another space's properties."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np

from diffusionnag.spaces._pasted import without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.search_space import SearchSpace


class ConditionedSpace(SearchSpace):
    """What a space becomes where a condition, such as the input resolution, is chosen with the rest.

    The first node holds the condition, a number; the others are those of the space `inner`, whose
    operations come first. Strings are those of `inner` with the condition behind: `...@192`.
    """

    inner: ClassVar[SearchSpace]
    condition: ClassVar[str]
    values: ClassVar[tuple[int, ...]]

    def __init_subclass__(cls) -> None:
        """Derive nodes, operations and edges."""
        super().__init_subclass__()
        inner = cls.inner
        cls.nodes = (cls.condition, *inner.nodes)
        cls.operations = (*inner.operations, *map(str, cls.values))
        edges = ((source + 1, target + 1) for source, target in inner.edges)
        cls.edges = ((0, 1), *edges)

    def choices(self, node: int) -> Sequence[str]:
        """Return the values of the condition, or what may stand at the inner space's node."""
        return self.inner.choices(node - 1) if node else tuple(map(str, self.values))

    def rule(self, operations: Sequence[str]) -> str | None:
        """Return why the inner space forbids these operations together, if it does."""
        return self.inner.rule(operations[1:])

    def obeys_rule(self, operations: np.ndarray) -> np.ndarray:
        """Return which rows break no rule of the inner space, `batch` bool."""
        return self.inner.obeys_rule(operations[:, 1:])

    def positions(self) -> tuple[int, ...]:
        """Return the inner space's positions, and one of its own for the condition."""
        positions = self.inner.positions()
        return (max(positions) + 1, *positions)

    def format(self, architecture: Architecture) -> str:
        """Return the inner space's string, and the condition behind `@`."""
        within, value = self.split(architecture)
        return f"{self.inner.format(within)}@{value}"

    def parse(self, text: str) -> Architecture:
        """Return the architecture of a string, the inverse of `format`.

        White space means nothing. Raises DiffusionNAGError for any other string.
        """
        written, separator, value = text.rpartition("@")
        if not separator:
            raise self.malformed(
                text, f"its {self.condition} is missing: '@{self.values[-1]}', say"
            )
        return self.joined(self.inner.parse(written), without_whitespace(value), text)

    def joined(self, within: Architecture, value: str, text: str | None = None) -> Architecture:
        """Return the architecture that is one of the inner space under a condition."""
        return self.build([value, *self.inner.operation_names(within)], text)

    def split(self, architecture: Architecture) -> tuple[Architecture, int]:
        """Return the inner space's architecture, and the value of the condition."""
        first, *others = architecture.operations
        (within,) = self.inner.architectures(np.array([others]))
        return within, int(self.operations[first])

    @cached_property
    def size(self) -> int:
        """The number of architectures: the inner space's under each value."""
        return len(self.values) * self.inner.size

    def sample_operations(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the condition uniformly, and the rest as the inner space does, `count x N`."""
        first = len(self.inner.operations) + rng.integers(len(self.values), size=(count, 1))
        return np.concatenate([first, self.inner.sample_operations(count, rng)], axis=1)

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return those of the inner space under the condition."""
        within, value = self.split(architecture)
        return self.under_value(value).analytic_properties(within)

    def under_value(self, value: int) -> SearchSpace:
        """Return the inner space under a value of the condition."""
        return self.inner.under(**{self.condition: float(value)})
