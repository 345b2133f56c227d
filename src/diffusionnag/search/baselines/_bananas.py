"""BANANAS: an ensemble of networks that see paths, and independent Thompson sampling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusionnag._devices import seeded
from diffusionnag.predictors import (
    MemberLinear,
    OneHot,
    RankGaussian,
    free_paths,
    through_operations,
)
from diffusionnag.search.proposers import Proposer
from diffusionnag.spaces import Architecture, SearchSpace

MEMBERS = 5
WIDTH = 64
LAYERS = 3
STEPS = 100
LEARNING_RATE = 0.01
CANDIDATES = 100
MOST_PATHS = 2_000
"""A space with more possible paths than these is seen as one-hot choices instead."""


def bananas(space: SearchSpace) -> Proposer:
    """Return a proposer with an ensemble on the path encoding, and independent Thompson sampling.

    As published: five networks, and candidates that differ in one operation from one of the best.
    Source: White, Neiswanger & Savani 2021.
    """
    return Proposer(
        space,
        strategy="mutation",
        acquisition="ITS",
        candidates=CANDIDATES,
        surrogate=PathEnsemble,
    )


class PathEnsemble:
    """Networks that differ in their initial weights, fitted to the same measured values.

    The loss is the absolute error of normal scores, so that no unit and no tail of bad values
    matters; every step sees all values.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.encoding = PathEncoding(space) if possible_paths(space) <= MOST_PATHS else None
        self.one_hot = OneHot(space)

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> PathEnsemble:
        """Fit on measured values, one an architecture, in any unit; return itself."""
        self.target = RankGaussian.fit(values)
        normal = torch.from_numpy(self.target.to_normal(values)).float()
        encoded = self._encoded(torch.from_numpy(self.space.encode(architectures)))
        with seeded(seed):
            sizes = [encoded.shape[1], *[WIDTH] * LAYERS]
            layers = [
                part
                for inputs, outputs in pairwise(sizes)
                for part in (MemberLinear(MEMBERS, inputs, outputs), nn.ReLU())
            ]
            self.network = nn.Sequential(*layers, MemberLinear(MEMBERS, WIDTH, 1))
        optimiser = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE, foreach=True)
        target = normal[None, :, None].expand(MEMBERS, -1, -1)
        shown = encoded.expand(MEMBERS, -1, -1)
        for _ in range(STEPS):
            loss = functional.l1_loss(self.network(shown), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return self

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the members' mean and deviation, each `batch`, of one-hot `batch x N x F`."""
        members = self.network(self._encoded(x).expand(MEMBERS, -1, -1))[..., 0]
        return members.mean(0), members.std(0)

    def to_standard(self, value: float) -> float:
        """Return a value as a standard normal score."""
        return float(self.target.to_normal(np.array(value)))

    def _encoded(self, x: Tensor) -> Tensor:
        return self.one_hot(x)[0] if self.encoding is None else self.encoding(x)


class PathEncoding:
    """Which of all possible paths from input to output an architecture has.

    A path is the operations along it; one that an operation blocks, or that lacks an edge, is none.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.paths = free_paths(space)
        through = through_operations(space)
        self.operations = len(through)
        self.digits = np.full(len(space.operations), -1)
        self.digits[through] = np.arange(len(through))
        self.lengths = sorted({len(path.nodes) for path in self.paths})

    def __call__(self, x: Tensor) -> Tensor:
        """Return 1 where a path is there, else 0, of one-hot `batch x N x F`, `batch x paths`."""
        operations = x.argmax(-1).numpy()
        digits = self.digits[operations]
        blocks = {
            length: np.zeros((len(x), self.operations**length), dtype=np.float32)
            for length in self.lengths
        }
        for path in self.paths:
            along = digits[:, path.nodes]
            columns = along @ self.operations ** np.arange(len(path.nodes))
            open_rows = (along >= 0).all(1)
            for node, names in path.condition:
                open_rows &= np.isin(operations[:, node], names)
            blocks[len(path.nodes)][np.flatnonzero(open_rows), columns[open_rows]] = 1
        return torch.from_numpy(np.concatenate(list(blocks.values()), axis=1))


def possible_paths(space: SearchSpace) -> int:
    """Return the number of sequences of operations that lead from input to output."""
    operations = len(through_operations(space))
    return sum(operations**length for length in {len(path.nodes) for path in free_paths(space)})
