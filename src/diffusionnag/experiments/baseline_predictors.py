"""Predictors that exist only to be compared with the library's own.

Each is fitted on the same scale as the library's, and is judged by how it ranks architectures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusionnag.diffusion.score_network import (
    ScoreNetworkConfig,
    TransformerBlock,
    attention_mask,
)
from diffusionnag.predictors.gaussian_process import (
    FeatureGroups,
    GaussianProcess,
    GaussianProcessConfig,
    fit_gaussian_process,
)
from diffusionnag.predictors.path_features import free_choices
from diffusionnag.predictors.target import RankGaussian
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.search_space import operation_indices

ROUNDS = 2
"""After so many rounds of relabelling a label tells of what lies that many edges before a node."""
REMOVED = -1
"""Label of a node that is not part of the graph."""
NETWORK = ScoreNetworkConfig(blocks=2, width=32, heads=4, feed_forward=64)
MEMBERS = 3
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02


class Ranker(Protocol):
    """What can be compared: it learns from values in any unit, and scores architectures."""

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> object:
        """Fit on measured values, one an architecture."""
        ...

    def standardised(self, x: Tensor) -> Tensor:
        """Return scores on the scale of standard normal ranks, `batch`, of one-hot `batch x N x F`."""
        ...


class OneHot:
    """The choices themselves, as a single group of features."""

    groups = 1

    def __init__(self, space: SearchSpace) -> None:
        self.choices = free_choices(space)

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return one group of features of `batch x N x F`, `batch x choices`."""
        return [x.flatten(1)[:, self.choices]]


class WeisfeilerLehman:
    """How often each label occurs after each round of relabelling, one group a round, unit length.

    The graph has the operations as nodes, without those on no open path from input to output. A
    node's first label is its operation, its next one its label together with those of the nodes
    that feed it. Labels are numbered over the whole space, which must be enumerable.
    Source: Shervashidze et al. 2011; for cells Ru et al. 2021 (NAS-BOWL).
    """

    groups = ROUNDS + 1

    def __init__(self, space: SearchSpace) -> None:
        operations = operation_indices(space.enumerate(), len(space.nodes))
        self.places = len(space.operations) ** np.arange(len(space.nodes))[::-1]
        self.codes = operations @ self.places
        labels = np.where(_on_open_path(space, operations), operations, REMOVED)
        self.counts = [_label_counts(labels)]
        for _ in range(ROUNDS):
            labels = _relabelled(space, labels)
            self.counts.append(_label_counts(labels))

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return a group for each number of rounds of one-hot `batch x N x F`, `batch x labels`."""
        rows = np.searchsorted(self.codes, x.argmax(-1).numpy() @ self.places)
        return [functional.normalize(counts[rows].to(x), dim=1) for counts in self.counts]


def _on_open_path(space: SearchSpace, operations: np.ndarray) -> np.ndarray:
    """Return which nodes of operation indices `batch x N` lie on a path that nothing blocks."""
    blocking = [space.operations.index(name) for name in space.blocking_operations]
    fed = ~np.isin(operations, blocking)
    feeds = fed.copy()
    for node in range(len(space.nodes)):
        sources = [source for source, target in space.edges if target == node]
        if sources:
            fed[:, node] &= fed[:, sources].any(1)
    for node in reversed(range(len(space.nodes))):
        targets = [target for source, target in space.edges if source == node]
        if targets:
            feeds[:, node] &= feeds[:, targets].any(1)
    return fed & feeds


def _relabelled(space: SearchSpace, labels: np.ndarray) -> np.ndarray:
    """Return new labels `batch x N`: equal where the old ones and the multisets of sources' are."""
    sources = [[i for i, j in space.edges if j == node] for node in range(len(space.nodes))]
    seen = np.full((*labels.shape, 1 + max(map(len, sources))), REMOVED)
    seen[..., 0] = labels
    for node, feeding in enumerate(sources):
        # Sorted in descending order, so that a removed neighbour looks like an absent one.
        seen[:, node, 1 : 1 + len(feeding)] = -np.sort(-labels[:, feeding], axis=1)
    _, renamed = np.unique(seen.reshape(-1, seen.shape[-1]), axis=0, return_inverse=True)
    return np.where(labels == REMOVED, REMOVED, renamed.reshape(labels.shape))


def _label_counts(labels: np.ndarray) -> Tensor:
    """Return how often each label occurs in each row of `batch x N`, `batch x labels` uint8."""
    known, columns = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(labels), len(known)), dtype=np.uint8)
    np.add.at(counts, (np.arange(len(labels))[:, None], columns.reshape(labels.shape)), 1)
    return torch.from_numpy(counts[:, known != REMOVED])


class ProcessOn:
    """The library's Gaussian process on other features than its own."""

    def __init__(self, space: SearchSpace, features: FeatureGroups) -> None:
        self.space = space
        self.features = features

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> ProcessOn:
        """Fit on measured values, one an architecture, in random order; return itself."""
        x, target = _encoded(self.space, architectures, values)
        config = GaussianProcessConfig(len(architectures))
        self.process = GaussianProcess(self.space, config, self.features)
        fit_gaussian_process(self.process, x, target, lambda step, steps: None)
        return self

    def standardised(self, x: Tensor) -> Tensor:
        """Return the posterior mean, `batch`."""
        return self.process.mean(x)


class NodeNetwork(nn.Module):
    """A transformer over the nodes of an architecture, whose mean state is read out."""

    mask: Tensor

    def __init__(self, space: SearchSpace, config: ScoreNetworkConfig) -> None:
        super().__init__()
        self.operation_embedding = nn.Linear(len(space.operations), config.width)
        self.position_embedding = nn.Parameter(torch.randn(len(space.nodes), config.width))
        self.blocks = nn.ModuleList(TransformerBlock(config) for _ in range(config.blocks))
        self.readout = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, 1))
        hidden_from = torch.zeros(config.heads, len(space.nodes), len(space.nodes))
        hidden_from.masked_fill_(~attention_mask(space, config), -torch.inf)
        self.register_buffer("mask", hidden_from, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return one output for each architecture of one-hot `batch x N x F`, `batch`."""
        hidden = self.operation_embedding(x) + self.position_embedding
        for block in self.blocks:
            hidden = block(hidden, self.mask)
        return self.readout(hidden.mean(1)).squeeze(-1)


class NodeTransformer:
    """A few transformers that differ in their initial weights and batches, averaged."""

    def __init__(self, space: SearchSpace, steps: int) -> None:
        self.space = space
        self.steps = steps
        self.members: list[NodeNetwork] = []

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> NodeTransformer:
        """Train on the squared error of measured values, one an architecture; return itself."""
        x, target = _encoded(self.space, architectures, values)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.members = [self._trained(x, target) for _ in range(MEMBERS)]
        return self

    def _trained(self, x: Tensor, target: Tensor) -> NodeNetwork:
        network = NodeNetwork(self.space, NETWORK)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, LEARNING_RATE, total_steps=self.steps
        )
        for _ in range(self.steps):
            rows = torch.randperm(len(x))[:BATCH_SIZE]
            loss = functional.mse_loss(network(x[rows]), target[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        return network.eval().requires_grad_(False)

    def standardised(self, x: Tensor) -> Tensor:
        """Return the mean of the members' outputs, `batch`."""
        return torch.stack([member(x) for member in self.members]).mean(0)


def _encoded(
    space: SearchSpace, architectures: Sequence[Architecture], values: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Return architectures as one-hot `batch x N x F`, and their values as normal scores."""
    target = RankGaussian.fit(values).to_normal(values)
    return torch.from_numpy(space.encode(architectures)), torch.from_numpy(target).float()
