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

from diffusionnag._devices import seeded
from diffusionnag.diffusion.score_network import (
    ScoreNetworkConfig,
    TransformerBlock,
    attention_mask,
)
from diffusionnag.predictors import RankGaussian
from diffusionnag.spaces import Architecture, SearchSpace

NETWORK = ScoreNetworkConfig(blocks=2, width=32, heads=4, feed_forward=64)
MEMBERS = 3
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02


class Ranker(Protocol):
    """What can be compared: it learns from values in any unit."""

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> Scores:
        """Return what measured values, one an architecture, teach."""
        ...


class Scores(Protocol):
    """What was learnt."""

    def standardised(self, x: Tensor) -> Tensor:
        """Return scores on the scale of standard normal ranks, `batch`, of one-hot `batch x N x F`."""
        ...


class NodeNetwork(nn.Module):
    """A transformer over the nodes of an architecture, whose mean state is read out."""

    visible: Tensor

    def __init__(self, space: SearchSpace, config: ScoreNetworkConfig) -> None:
        super().__init__()
        self.operation_embedding = nn.Linear(len(space.operations), config.width)
        self.position_embedding = nn.Parameter(torch.randn(len(space.nodes), config.width))
        self.blocks = nn.ModuleList(TransformerBlock(config) for _ in range(config.blocks))
        self.readout = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, 1))
        self.register_buffer("visible", attention_mask(space, config).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return one output for each architecture of one-hot `batch x N x F`, `batch`."""
        hidden = self.operation_embedding(x) + self.position_embedding
        for block in self.blocks:
            hidden = block(hidden, self.visible)
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
        x = torch.from_numpy(self.space.encode(architectures))
        target = torch.from_numpy(RankGaussian.fit(values).to_normal(values)).float()
        with seeded(seed):
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
