"""Features of an architecture that few labels suffice to learn from: where its operations lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.predictors.number_features import number_columns
from diffusionnag.spaces import SearchSpace
from diffusionnag.spaces.wiring import Condition

MOST_PATHS = 64
"""A wiring with more paths from input to output is described by its shortest ones."""


class FeatureGroups(Protocol):
    """Features of an architecture in groups, each of which gets a kernel of its own."""

    groups: int
    predicted_groups: int
    """How many of the last are predictions, of the same property or of what it may depend on."""

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return `groups` tensors, each `batch x features`, of one-hot x `batch x N x F`."""
        ...


@dataclass(frozen=True)
class Along:
    """A path in a batch: whether it is `open`, `batch`, and `operations`, `batch x length x through`."""

    open: Tensor
    operations: Tensor


class PathFeatures:
    """One-hot choices, operations along each path from input to output, their counts and shares.

    The shares are the counts scaled to a length below 1: what the operations' proportions are.
    Where the wiring varies, there are also the counts of pairs of operations of which one feeds the
    other: they do not depend on how nodes are numbered.

    On relaxed one-hot rows each feature is a product of operation probabilities, so it stays
    differentiable, and is exact at one-hot input.
    """

    predicted_groups = 0

    def __init__(self, space: SearchSpace) -> None:
        # A predictor of a space with fixed nodes is saved, and read, as one of the whole.
        space = space.whole
        self.wiring = space.wiring
        self.groups = 4 if self.wiring.is_fixed else 5
        self.choices = free_choices(space)
        self.paths = free_paths(space)
        self.blocking = [space.operations.index(name) for name in space.blocking_operations]
        self.through = torch.tensor(through_operations(space), dtype=torch.long)

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return the groups of features of `batch x N x F`, each `batch x features`."""
        along = self._along(x)
        alive = torch.stack([path.open for path in along], dim=1)
        present = [(1 - (1 - path.operations).prod(1)) * path.open[:, None] for path in along]
        counts = [path.operations.sum(1) * path.open[:, None] for path in along]
        total = torch.stack(counts).sum(0)
        return [
            x.flatten(1)[:, self.choices],
            torch.cat([alive, *present], dim=1),
            total,
            _shares(total),
            *self._further(x, along),
        ]

    def _along(self, x: Tensor) -> list[Along]:
        """Return what lies along each path."""
        along = []
        for path in self.paths:
            rows = x[:, path.nodes]
            open_path = (1 - rows[:, :, self.blocking].sum(-1)).prod(1)
            along.append(Along(_kept(path.condition, x, open_path), rows[:, :, self.through]))
        return along

    def _further(self, x: Tensor, along: Sequence[Along]) -> list[Tensor]:
        """Return the groups after the first four."""
        return [] if self.wiring.is_fixed else [self._feeding(x)]

    def _feeding(self, x: Tensor) -> Tensor:
        """Return how often an operation feeds another, `batch x pairs`."""
        sources, targets = ([edge[end] for edge in self.wiring.edges] for end in (0, 1))
        ones = x.new_ones(len(x))
        chances = [_kept(condition, x, ones) for condition in self.wiring.conditions]
        feeds = x[:, sources] * torch.stack(chances, dim=1)[:, :, None]
        return (feeds.transpose(1, 2) @ x[:, targets]).flatten(1)


class PathsAndOrder(PathFeatures):
    """Path features, and where there are numbers to choose from, the rank of each as one more group."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.ranks = torch.from_numpy(number_columns(space.whole).single)
        self.groups += self.ranks.shape[1] > 0

    def _further(self, x: Tensor, along: Sequence[Along]) -> list[Tensor]:
        ranks = [x.flatten(1) @ self.ranks.to(x)] if self.ranks.shape[1] else []
        return [*super()._further(x, along), *ranks]


class ArchitectureFeatures(PathFeatures):
    """Path features, pairs of operations, and the numbers that operations stand for.

    Pairs are the shares of operations that follow each other along the paths, what lies at a path's
    beginning and end following the input, and followed by the output. The ranks of numbers that are
    chosen one at a node, of those chosen several at once, and the sums of either are a group each,
    where there are any.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        numbers = number_columns(space.whole)
        every = (numbers.single, numbers.several, numbers.totals)
        self.numbers = [torch.from_numpy(columns) for columns in every if columns.shape[1]]
        self.groups += 1 + len(self.numbers)

    def _further(self, x: Tensor, along: Sequence[Along]) -> list[Tensor]:
        pairs = torch.stack([_pairs(path) for path in along]).sum(0)
        numbers = [x.flatten(1) @ columns.to(x) for columns in self.numbers]
        return [*super()._further(x, along), _shares(pairs), *numbers]


class FeaturesAnd:
    """Features, and what is known of an architecture besides, in groups of its own.

    `known` returns them, `predicted_groups` tensors, each `batch x features`, of one-hot `batch x N x F`.
    """

    def __init__(
        self,
        features: FeatureGroups,
        known: Callable[[Tensor], Sequence[Tensor]],
        predicted_groups: int = 1,
    ) -> None:
        self.groups = features.groups + predicted_groups
        self.predicted_groups = features.predicted_groups + predicted_groups
        self.features = features
        self.known = known

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return the groups of features of `batch x N x F`, what is known being the last."""
        return [*self.features(x), *(group.to(x) for group in self.known(x))]


class OneHot:
    """The choices themselves, as a single group of features."""

    groups = 1
    predicted_groups = 0

    def __init__(self, space: SearchSpace) -> None:
        self.choices = free_choices(space)

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return one group of features of `batch x N x F`, `batch x choices`."""
        return [x.flatten(1)[:, self.choices]]


def _pairs(path: Along) -> Tensor:
    """Return how often an operation follows another on a path, `batch x (operations + 1)^2`."""
    # One more row and column stand for the input and the output.
    ends = functional.pad(
        path.operations.new_ones(len(path.open), 1, 1), (path.operations.shape[2], 0)
    )
    inner = functional.pad(path.operations, (0, 1))
    stops = torch.cat([ends, inner, ends], dim=1) * path.open[:, None, None]
    return (stops[:, :-1].transpose(1, 2) @ torch.cat([inner, ends], dim=1)).flatten(1)


def _shares(counts: Tensor) -> Tensor:
    """Return counts, `batch x features`, scaled to a length below 1."""
    # The 1 keeps the gradient finite where every path is blocked and nothing is counted.
    return counts * torch.rsqrt(1 + counts.square().sum(1, keepdim=True))


def _kept(condition: Condition, x: Tensor, chance: Tensor) -> Tensor:
    """Return a chance, `batch`, times that of a condition on the operations of `batch x N x F`."""
    for node, names in condition:
        chance = chance * x[:, node, names].sum(-1)
    return chance


def free_choices(space: SearchSpace) -> Tensor:
    """Return which columns of `batch x (N F)` hold a choice: nodes with one operation have none."""
    allowed = torch.from_numpy(space.allowed)
    return torch.nonzero((allowed & (allowed.sum(1) > 1)[:, None]).flatten())[:, 0]


@dataclass(frozen=True)
class FreePath:
    """The nodes with a choice on a path from input to output, and the condition of its edges."""

    nodes: list[int]
    condition: Condition


def free_paths(space: SearchSpace) -> list[FreePath]:
    """Return each path that there may be from input to output, the shortest paths first."""
    free = {node for node, choices in enumerate(space.allowed) if choices.sum() > 1}
    conditions = dict(zip(space.edges, space.wiring.conditions, strict=True))
    return [
        FreePath(
            [node for node in path if node in free],
            tuple(decision for edge in pairwise(path) for decision in conditions[edge]),
        )
        for path in _paths(space)
    ]


def through_operations(space: SearchSpace) -> list[int]:
    """Return the operations that a node with a choice can have and that let something through."""
    choices = space.allowed.copy()
    choices[list(space.wiring.nodes)] = False
    used = np.flatnonzero(choices[choices.sum(1) > 1].any(axis=0)).tolist()
    return [
        operation
        for operation in used
        if space.operations[operation] not in space.blocking_operations
    ]


def _paths(space: SearchSpace) -> list[list[int]]:
    """Return the nodes of each path from a node without input to one without output."""
    followers: dict[int, list[int]] = {node: [] for node in range(len(space.nodes))}
    for source, target in space.edges:
        followers[source].append(target)
    starts = set(followers) - {target for _, target in space.edges} - set(space.wiring.nodes)
    paths: list[list[int]] = []
    growing = [[start] for start in sorted(starts)]
    while growing and len(paths) < MOST_PATHS:
        longer = []
        for path in growing:
            if not followers[path[-1]]:
                paths.append(path)
            longer += [[*path, node] for node in followers[path[-1]]]
        growing = longer
    return paths[:MOST_PATHS]
