"""NAS-Bench-201's network with all operations on each edge, mixed by weights that are learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusionnag.spaces import ImageClassification
from diffusionnag.spaces.layers import Cell
from diffusionnag.spaces.nasbench201 import (
    EDGE_OPERATIONS,
    SOURCES,
    edge_module,
    nasbench201_network,
)

EDGES = sum(map(len, SOURCES))
HOTTEST, COLDEST = 10.0, 0.1
"""Temperatures of the Gumbel softmax at the beginning and at the end (Dong & Yang, GDAS)."""
FIRST, SECOND, EPSILON = 0.5, 0.999, 1e-8
"""Of the Adam by which the scores are learnt, as in Liu et al., DARTS."""

Mixing = Callable[[Tensor, float, bool], Tensor]
"""Returns the weights of the operations of each edge, `edges x operations`.

It is given their scores, of that shape, the share of the training that is over, and whether scores
are learnt, rather than weights of the network.
"""


def softmax(scores: Tensor, done: float, learning: bool) -> Tensor:
    """Mix all operations (Liu, Simonyan & Yang, "DARTS", ICLR 2019; here of the first order)."""
    return scores.softmax(1)


def gumbel(scores: Tensor, done: float, learning: bool) -> Tensor:
    """Draw one operation, through which the gradient goes (Dong & Yang, "GDAS", CVPR 2019)."""
    return F.gumbel_softmax(scores, HOTTEST + (COLDEST - HOTTEST) * done, hard=True)


def uniform(scores: Tensor, done: float, learning: bool) -> Tensor:
    """Draw one operation uniformly to train weights; mix all to learn scores (SETN, ICCV 2019)."""
    if learning:
        return scores.softmax(1)
    return F.one_hot(torch.randint(scores.shape[1], scores.shape[:1]), scores.shape[1]).to(scores)


def dirichlet(scores: Tensor, done: float, learning: bool) -> Tensor:
    """Mix by weights drawn from a Dirichlet distribution (Chen et al., "DrNAS", ICLR 2021)."""
    return torch.distributions.Dirichlet(F.elu(scores) + 1).rsample()


@dataclass(frozen=True)
class ScoreLearning:
    """One published way to learn which operation each edge should have.

    Arguments:
        mixing: how the network is mixed while it is trained.
        channels: one of so many channels goes through the operations, the others pass by (Xu et
            al., "PC-DARTS", ICLR 2020), and edges into a feature map are weighted too.
        learning_rate: of the scores.
        weight_decay: of the scores.
        warm_up: share of the training before scores are learnt.
        anchored: factor of the squared scores, which keeps the distribution near the uniform one.
        draws: cells drawn by the scores, of which the best with shared weights is taken; with none,
            each edge has its operation of the highest score.
    """

    mixing: Mixing = softmax
    channels: int = 1
    learning_rate: float = 3e-4
    weight_decay: float = 1e-3
    warm_up: float = 0.0
    anchored: float = 0.0
    draws: int = 0


SCORE_LEARNING = {
    "darts": ScoreLearning(),
    "gdas": ScoreLearning(gumbel),
    "setn": ScoreLearning(uniform, draws=100),
    "pc-darts": ScoreLearning(channels=4, learning_rate=6e-4, warm_up=0.3),
    "drnas": ScoreLearning(dirichlet, weight_decay=0.0, anchored=1e-3),
}
"""The ways by the names of their papers."""


class MixedEdge(nn.ModuleDict):
    """All operations of an edge, summed with `weights`; those of weight 0 are not computed."""

    weights: Tensor

    def __init__(self, channels: int, share: int) -> None:
        self.share = channels // share
        super().__init__({name: edge_module(name, self.share) for name in EDGE_OPERATIONS})

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum, `batch x channels x H x W`."""
        mixed, passed = x[:, : self.share], x[:, self.share :]
        result = torch.zeros_like(mixed)
        for weight, (name, operation) in zip(self.weights, self.items(), strict=True):
            if name != "none" and float(weight.detach()) != 0:
                result = result + weight * operation(mixed)
        if not passed.shape[1]:
            return result
        together = torch.cat([result, passed], dim=1)
        # The next edge gets others of the channels that passed by.
        return together.unflatten(1, (-1, self.share)).transpose(1, 2).flatten(1, 2)


class MixedNetwork(nn.Module):
    """The network of `nasbench201_network` with mixed edges, and the scores of their operations.

    `scores` are `edges x (operations + 1)`, the last column that of the edge itself. They and
    what Adam keeps of them are buffers, so that they travel with the weights.
    """

    scores: Tensor
    mean: Tensor
    square: Tensor
    steps: Tensor

    def __init__(self, task: ImageClassification, way: ScoreLearning) -> None:
        super().__init__()
        self.way, self.done, self.learning = way, 0.0, False
        self.network = nasbench201_network(
            lambda channels: Cell(
                (MixedEdge(channels, way.channels) for _ in range(EDGES)), SOURCES
            ),
            task,
        )
        scores = 1e-3 * torch.randn(EDGES, len(EDGE_OPERATIONS) + 1)
        self.register_buffer("scores", scores)
        for name in ("mean", "square"):
            self.register_buffer(name, torch.zeros_like(scores))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the mixture: as it is trained, or in evaluation mode by the scores."""
        scores, edges = self.scores[:, :-1], self.scores[:, -1]
        mixing = self.way.mixing if self.training else softmax
        weights = mixing(scores, self.done, self.learning)
        if self.way.channels > 1:
            parts = edges.split([len(sources) for sources in SOURCES])
            weights = weights * torch.cat([part.softmax(0) for part in parts])[:, None]
        for cell in self.network.children():
            if isinstance(cell, Cell):
                for edge, row in zip(cell.edges, weights, strict=True):
                    edge.weights = row
        return self.network(x)

    def learn_scores(self, loss: Callable[[], Tensor]) -> None:
        """Take one step of Adam on the scores, against the gradient of a loss that calls this network."""
        self.learning = True
        self.scores.requires_grad_(True)
        mistake = loss() + self.way.anchored * self.scores[:, :-1].square().sum()
        (gradient,) = torch.autograd.grad(mistake, self.scores)
        self.learning = False
        self.scores.requires_grad_(False)
        gradient = gradient + self.way.weight_decay * self.scores
        self.steps += 1
        self.mean.lerp_(gradient, 1 - FIRST)
        self.square.lerp_(gradient.square(), 1 - SECOND)
        spread = (self.square / (1 - SECOND**self.steps)).sqrt() + EPSILON
        self.scores -= self.way.learning_rate * self.mean / (1 - FIRST**self.steps) / spread
