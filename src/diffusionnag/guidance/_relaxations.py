"""Functions of architectures, relaxed to operation probabilities: multilinear, exact at one-hot input."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from diffusionnag.spaces import SearchSpace

SMALLEST_VARIANCE = 1e-12
"""The square root has no slope at 0."""
SMALLEST_STEP = 1e-13
"""Least squares are solved where the gradient has become so small a part of the first one."""


class Relaxation(Protocol):
    """A function of independent operations whose probabilities are `batch x N x F`."""

    def mean(self, x: Tensor) -> Tensor:
        """Return the expected value, `batch`."""
        ...

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expected value and the variance, each `batch`; at one-hot input it is 0."""
        ...


class GroupSum:
    """A sum over groups of nodes: each combination of a group's operations contributes a number."""

    def __init__(self, space: SearchSpace) -> None:
        """Note the nodes and operations of every combination, and the group that each is of.

        Groups of one size go together: `size x columns` indices each; then `columns x groups`.
        """
        self._factors: list[tuple[Tensor, Tensor]] = []
        numbers = []
        groups = sorted(space.interactions(), key=len)
        for _, same in itertools.groupby(enumerate(groups), key=lambda numbered: len(numbered[1])):
            nodes, operations = [], []
            for number, group in same:
                allowed = [np.flatnonzero(space.allowed[node]).tolist() for node in group]
                combinations = list(itertools.product(*allowed))
                operations += combinations
                nodes += [group] * len(combinations)
                numbers += [number] * len(combinations)
            self._factors.append((torch.tensor(nodes).T, torch.tensor(operations).T))
        self._of_group = torch.eye(len(groups), dtype=torch.float64)[numbers]
        self._contributions = torch.zeros(len(numbers), dtype=torch.float64)

    @property
    def combinations(self) -> int:
        """How many combinations there are in all groups."""
        return len(self._contributions)

    def fit(self, x: Tensor, values: np.ndarray) -> GroupSum:
        """Find the contributions by least squares, from one-hot x and its values `count`."""
        self._contributions = _least_squares(
            self._expand(x).to_sparse(), torch.from_numpy(values).to(x)
        )
        return self

    def _expand(self, x: Tensor) -> Tensor:
        """Return the probability of each combination of each group, `batch x columns`."""
        columns = []
        for nodes, operations in self._factors:
            each = [x[:, nodes[place], operations[place]] for place in range(len(nodes))]
            columns.append(functools.reduce(torch.mul, each))
        return torch.cat(columns, dim=1)

    def mean(self, x: Tensor) -> Tensor:
        """Return the expected sum, `batch`."""
        return self._expand(x) @ self._contributions.to(x)

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expected sum and the sum of the groups' variances, each `batch`."""
        contributions, of_group = self._contributions.to(x), self._of_group.to(x)
        probability = self._expand(x)
        mean = (probability * contributions) @ of_group
        variance = (probability * contributions**2) @ of_group - mean**2
        return mean.sum(1), variance.clamp(min=SMALLEST_VARIANCE).sum(1)


def _least_squares(x: Tensor, values: Tensor) -> Tensor:
    """Return the smallest solution of least squares, `columns`, of sparse x, `count x columns`.

    By conjugate gradients, as of thousands of columns each row has a few dozen that are not 0.
    """
    transposed = x.t().coalesce()
    solution, residual = values.new_zeros(x.shape[1]), values
    gradient = transposed @ residual
    direction, square = gradient, gradient @ gradient
    stops = square * SMALLEST_STEP**2
    for _ in range(x.shape[1]):
        if not square > stops:
            break
        ahead = x @ direction
        length = square / (ahead @ ahead)
        solution, residual = solution + length * direction, residual - length * ahead
        gradient = transposed @ residual
        before, square = square, gradient @ gradient
        direction = gradient + square / before * direction
    return solution


class NodeMaximum:
    """The greatest of one number a node, which depends on the node's operation."""

    def __init__(self, levels: Tensor, within: Tensor) -> None:
        """Keep the values it may have, rising, and which `N x F` stay within each, `levels x N x F`."""
        self._levels, self._within = levels, within

    @classmethod
    def fit(cls, x: Tensor, values: np.ndarray) -> NodeMaximum:
        """Find the numbers from one-hot x, `count x N x F`, and its values `count`.

        An operation's number is the least value of what has it: no greater one shows.
        """
        had = x.bool().numpy()
        least = np.full(had.shape[1:], values.max())
        for row, value in zip(had, values, strict=True):
            least[row] = np.minimum(least[row], value)
        levels = np.unique(np.maximum(least, values.min()))
        within = torch.from_numpy((least <= levels[:, None, None]).astype(np.float64))
        return cls(torch.from_numpy(levels), within)

    def _reached(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each rise to the next level, and the probability that it is reached, `batch`."""
        for level, rise in enumerate(self._levels.diff().to(x)):
            yield rise, 1 - (x * self._within[level].to(x)).sum(2).prod(1)

    def mean(self, x: Tensor) -> Tensor:
        """Return the expected maximum, `batch`."""
        mean = x.new_zeros(len(x)) + self._levels[0].to(x)
        for rise, reached in self._reached(x):
            mean = mean + rise * reached
        return mean

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expected maximum and its variance, each `batch`."""
        above, square = x.new_zeros(len(x)), x.new_zeros(len(x))
        so_far = x.new_zeros(())
        for rise, reached in self._reached(x):
            square = square + reached * rise * (2 * so_far + rise)
            above = above + reached * rise
            so_far = so_far + rise
        return above + self._levels[0].to(x), (square - above**2).clamp(min=SMALLEST_VARIANCE)


class UnderEachValue:
    """What depends on a condition that the first node holds: a relaxation under each of its values.

    The others see the other nodes, and the operations before those of the condition. Each is put
    on a common scale by its `shifts` and `scales`, `values`.
    """

    def __init__(
        self, relaxations: Sequence[Relaxation], shifts: np.ndarray, scales: np.ndarray
    ) -> None:
        self._parts = list(zip(relaxations, shifts.tolist(), scales.tolist(), strict=True))

    def _under_each(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield, for each value, the rows it may have, and its probability and the rest of these."""
        within = x.shape[2] - len(self._parts)
        for place in range(len(self._parts)):
            probability = x[:, 0, within + place]
            rows = torch.nonzero(probability.detach())[:, 0]
            yield rows, probability[rows], x[rows, 1:, :within]

    def mean(self, x: Tensor) -> Tensor:
        """Return the expected value, `batch`."""
        mean = x.new_zeros(len(x))
        each = zip(self._parts, self._under_each(x), strict=True)
        for (part, shift, scale), (rows, probability, rest) in each:
            mean = mean.index_add(0, rows, probability * (shift + scale * part.mean(rest)))
        return mean

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expected value and the variance, each `batch`."""
        mean, square = x.new_zeros(len(x)), x.new_zeros(len(x))
        each = zip(self._parts, self._under_each(x), strict=True)
        for (part, shift, scale), (rows, probability, rest) in each:
            centre, variance = part.moments(rest)
            centre, variance = shift + scale * centre, scale**2 * variance
            mean = mean.index_add(0, rows, probability * centre)
            square = square.index_add(0, rows, probability * (variance + centre**2))
        return mean, (square - mean**2).clamp(min=SMALLEST_VARIANCE)
