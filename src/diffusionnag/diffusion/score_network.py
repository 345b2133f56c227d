"""The score network: a transformer over the nodes of an architecture (paper, Eq. 4-5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusionnag.spaces import SearchSpace


@dataclass(frozen=True)
class ScoreNetworkConfig:
    """The size and make of a score network; the defaults are the library's small fast one."""

    blocks: int = 2
    width: int = 48
    heads: int = 2
    feed_forward: int = 96
    dropout: float = 0.0
    readout_width: int = 48
    position_embedding: Literal["learned", "sinusoidal", "none"] = "learned"
    attention: Literal["both_ways", "upstream"] = "both_ways"


LARGER_NETWORK = ScoreNetworkConfig(blocks=3, width=64, heads=4, feed_forward=128, readout_width=64)
"""For architectures of many nodes, and those whose wiring is generated with them."""

PAPER_NETWORK = ScoreNetworkConfig(
    blocks=12,
    width=64,
    heads=8,
    feed_forward=128,
    dropout=0.1,
    readout_width=1536,
    position_embedding="sinusoidal",
    attention="upstream",
)
"""The published network, 3.99 M parameters."""

LARGEST_SCORE = 60.0
"""Scores are cut off here, where exp is far from overflow, and never get in training."""


def attention_mask(space: SearchSpace, config: ScoreNetworkConfig) -> Tensor:
    """Return which node may attend to which, `heads x N x N` bool, from the space's adjacency.

    `upstream` is the paper's mask: a node sees itself and the nodes that feed it. With `both_ways`
    half of the heads see all nodes upstream and half all nodes downstream, so that direction is
    kept and yet what is decided late in the flow can inform what comes before it. Wiring nodes see,
    and are seen by, all nodes.
    """
    count = len(space.nodes)
    feeds = torch.zeros(count, count, dtype=torch.bool)
    for source, target in space.edges:
        feeds[source, target] = True
    itself = torch.eye(count, dtype=torch.bool)
    wiring = torch.zeros(count, dtype=torch.bool)
    wiring[list(space.wiring.nodes)] = True
    everywhere = itself | wiring | wiring[:, None]
    if config.attention == "upstream":
        return (feeds.T | everywhere).expand(config.heads, -1, -1).clone()
    reaches = (torch.matrix_power((feeds | itself).double(), count) > 0) | everywhere
    half = config.heads // 2
    upstream, downstream = reaches.T.expand(half, -1, -1), reaches.expand(half, -1, -1)
    return torch.cat([upstream, downstream])


def sinusoids(values: Tensor, width: int) -> Tensor:
    """Return sines and cosines of values at geometric frequencies, `... x width`."""
    frequencies = torch.exp(
        -math.log(10_000) * torch.arange(width // 2, device=values.device) / (width // 2)
    )
    angles = values[..., None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class TransformerBlock(nn.Module):
    """Masked self-attention and a feed-forward layer, each behind a layer norm.

    Attention is written out head by head, on views of what is projected: for a graph of some twenty
    nodes on a CPU, moving data around and the softmax of short rows cost more than the arithmetic.
    """

    def __init__(self, config: ScoreNetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.dropout = config.dropout
        self.attention_norm = nn.LayerNorm(width)
        self.attention_input = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.feed_forward),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, width),
            nn.Dropout(config.dropout),
        )

    def forward(self, hidden: Tensor, visible: Tensor) -> Tensor:
        """Map hidden states `batch x N x width`; `visible` is `heads x N x N`, 1 or 0."""
        hidden = hidden + self.attend(self.attention_norm(hidden), visible)
        return hidden + self.feed_forward(self.feed_forward_norm(hidden))

    def attend(self, hidden: Tensor, visible: Tensor) -> Tensor:
        """Return what every node gathers from those that are visible to it, `batch x N x width`."""
        batch, nodes, width = hidden.shape
        projected = self.attention_input(hidden)
        by_head = projected.view(batch, nodes, 3 * self.heads, width // self.heads).unbind(2)
        queries, keys, values = (by_head[kind * self.heads :][: self.heads] for kind in range(3))
        gathered = []
        for query, key, value, seen in zip(queries, keys, values, visible, strict=True):
            scores = torch.bmm(query, key.transpose(1, 2)) * query.shape[-1] ** -0.5
            weights = scores.clamp(max=LARGEST_SCORE).exp() * seen
            total = weights.sum(-1, keepdim=True)
            weights = functional.dropout(weights, self.dropout, self.training)
            gathered.append(torch.bmm(weights, value) / total)
        return self.attention_output(torch.cat(gathered, dim=-1))


class ScoreNetwork(nn.Module):
    """Operation, position and time embeddings, transformer blocks, and a readout over all of them."""

    visible: Tensor
    positions: Tensor

    def __init__(self, space: SearchSpace, config: ScoreNetworkConfig) -> None:
        super().__init__()
        self.config = config
        nodes, operations, width = len(space.nodes), len(space.operations), config.width
        self.operation_embedding = nn.Linear(operations, width)
        self.time_embedding = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width)
        )
        if config.position_embedding == "learned":
            # Unit scale: with small initial values the nodes stay nearly independent of each other.
            self.position_embedding = nn.Parameter(torch.randn(nodes, width))
        self.blocks = nn.ModuleList(TransformerBlock(config) for _ in range(config.blocks))
        self.readout = nn.Sequential(
            nn.Linear(config.blocks * width, config.readout_width),
            nn.ELU(),
            nn.Linear(config.readout_width, config.readout_width),
            nn.ELU(),
            nn.Linear(config.readout_width, operations),
        )
        visible = attention_mask(space, config).float()
        self.register_buffer("visible", visible, persistent=False)
        positions = torch.tensor(space.positions(), dtype=torch.float32)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map noisy architectures `batch x N x F` at times `batch` in [0, 1] to `batch x N x F`."""
        width = self.config.width
        time_embedded = self.time_embedding(sinusoids(1000 * time, width))
        hidden = self.operation_embedding(x) + time_embedded[:, None, :]
        if self.config.position_embedding == "learned":
            hidden = hidden + self.position_embedding
        elif self.config.position_embedding == "sinusoidal":
            hidden = hidden + sinusoids(self.positions, width)
        outputs = []
        for block in self.blocks:
            hidden = block(hidden, self.visible)
            outputs.append(hidden)
        return self.readout(torch.cat(outputs, dim=-1))
