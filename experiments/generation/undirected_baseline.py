"""The undirected baseline of Table 4: a graph diffusion model without order, direction or position.

Operations X (`N x F`) and a symmetric adjacency A (`N x N`) are noised and denoised together. Both
follow the same variance exploding SDE, so that an undirected graph passes through the library's
solvers as one matrix [X | A], `batch x N x (F + N)`.
Source: Jo et al. 2022, "Score-based Generative Modeling of Graphs via the System of Stochastic
Differential Equations" (GDSS).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusionnag._devices import seeded
from diffusionnag.diffusion.score_network import sinusoids
from diffusionnag.diffusion.sde import SDE, VESDE
from diffusionnag.diffusion.solvers import get_solver, time_grid
from diffusionnag.diffusion.training_set import TrainingSet
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.metrics import GenerationQuality, generation_quality
from diffusionnag.spaces import UNDECIDED, Architecture, SearchSpace
from diffusionnag.spaces.architecture import Edge

PROCESS = VESDE(sigma_min=0.1, sigma_max=5.0)
"""The forward process of X and of A: the paper's for NAS-Bench-201."""
SOLVER = "predictor_corrector"
SOLVER_STEPS = 100
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
EMA_DECAY = 0.999
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises, before it falls as a cosine does."""
SAMPLED_TOGETHER = 250
DATA_VARIANCE = 0.25
"""The largest variance that an entry of 0 or 1 can have."""


@dataclass(frozen=True, slots=True)
class UndirectedGraph:
    """N operations (`UNDECIDED` where there is none) and undirected edges (i, j), i < j, sorted.

    The numbers of the nodes mean nothing.
    """

    operations: tuple[int, ...]
    edges: tuple[Edge, ...]


class UndirectedLayer(nn.Module):
    """Attention among all nodes, steered by the states of pairs, then an update of both.

    Besides the weights of attention, which sum to 1, a pair's state gives weights that do not: so
    a node can count its neighbours, as in a graph convolution.
    """

    def __init__(self, width: int, pair_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.node_norm = nn.LayerNorm(width)
        self.pair_norm = nn.LayerNorm(pair_width)
        self.attention_input = nn.Linear(width, 3 * width)
        self.pair_weights = nn.Linear(pair_width, 2 * heads)
        self.attention_output = nn.Linear(width, width)
        self.feed_forward = _perceptron(width, 2 * width, width, norm=True)
        self.end_of_pair = nn.Linear(width, pair_width)
        self.match_of_pair = nn.Linear(heads, pair_width)
        self.pair_feed_forward = _perceptron(pair_width, 2 * pair_width, pair_width, norm=True)

    def forward(self, nodes: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Map `batch x N x width` and symmetric `batch x N x N x pair_width` to the same shapes."""
        batch, count, width = nodes.shape
        projected = self.attention_input(self.node_norm(nodes))
        query, key, value = projected.view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        match = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        bias, coupling = self.pair_weights(self.pair_norm(pairs)).permute(0, 3, 1, 2).chunk(2, 1)
        weights = (match + bias).softmax(-1) + coupling / count**0.5
        gathered = (weights @ value).transpose(1, 2).reshape(batch, count, width)
        nodes = nodes + self.attention_output(gathered)
        nodes = nodes + self.feed_forward(nodes)
        end = self.end_of_pair(nodes)
        matched = self.match_of_pair((match + match.transpose(2, 3)).permute(0, 2, 3, 1))
        pairs = pairs + end[:, :, None] + end[:, None, :] + matched
        return nodes, pairs + self.pair_feed_forward(pairs)


class UndirectedNetwork(nn.Module):
    """Predicts the noise in X and in A; numbering the nodes differently renumbers its outputs."""

    def __init__(
        self,
        operations: int,
        *,
        layers: int = 4,
        width: int = 64,
        pair_width: int = 16,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.width = width
        self.time_embedding = _perceptron(width, 2 * width, width)
        self.pair_time = nn.Linear(width, pair_width)
        self.operation_embedding = nn.Linear(operations, width)
        self.pair_embedding = nn.Linear(2, pair_width)
        self.layers = nn.ModuleList(
            UndirectedLayer(width, pair_width, heads) for _ in range(layers)
        )
        self.node_readout = _perceptron(width, 2 * width, operations, norm=True)
        self.pair_readout = _perceptron(pair_width, 2 * pair_width, 1, norm=True)

    def forward(self, x: Tensor, adjacency: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return the noise in X `batch x N x F` and in A `batch x N x N` at times `batch`.

        A is symmetric with a zero diagonal, and so is its noise.
        """
        embedded = self.time_embedding(sinusoids(1000 * time, self.width))
        two_steps = adjacency @ adjacency / adjacency.shape[-1] ** 0.5
        nodes = self.operation_embedding(x) + embedded[:, None]
        pairs = self.pair_embedding(torch.stack([adjacency, two_steps], dim=-1))
        pairs = pairs + self.pair_time(embedded)[:, None, None]
        for layer in self.layers:
            nodes, pairs = layer(nodes, pairs)
        loops = torch.eye(adjacency.shape[-1], dtype=torch.bool, device=x.device)
        edge_noise = self.pair_readout(pairs).squeeze(-1).masked_fill(loops, 0.0)
        return self.node_readout(nodes), edge_noise


@dataclass(frozen=True)
class UndirectedModel:
    """A trained undirected network with its forward process and the seed of its training set."""

    space: SearchSpace
    network: UndirectedNetwork
    sde: SDE
    seed: int

    def noise(self, state: Tensor, sigma: Tensor) -> Tensor:
        """Return the noise in [X | A] + sigma * noise, both `batch x N x (F + N)`, sigma `batch`.

        The network adds to what a Gaussian of variance `DATA_VARIANCE` would tell.
        """
        spread = torch.sqrt(DATA_VARIANCE + sigma**2)[:, None, None]
        scaled = state / spread
        x, adjacency = scaled.split([len(self.space.operations), len(self.space.nodes)], dim=-1)
        added = torch.cat(self.network(x, adjacency, self.sde.time(sigma)), dim=-1)
        return sigma[:, None, None] / spread * scaled + math.sqrt(DATA_VARIANCE) / spread * added

    def denoise(self, state: Tensor, sigma: Tensor) -> Tensor:
        """Return the estimate of the clean [X | A], `batch x N x (F + N)`, for a scalar sigma."""
        return state - sigma * self.noise(state, sigma.expand(len(state)))

    def sample(
        self, count: int, seed: int, *, solver: str = SOLVER, steps: int = SOLVER_STEPS
    ) -> list[UndirectedGraph]:
        """Generate `count` graphs, entries rounded by 1[> 0.5]."""
        chosen = get_solver(solver)
        times = time_grid(self.sde, steps, chosen.spacing)
        rng = torch.Generator().manual_seed(seed)
        nodes, operations = len(self.space.nodes), len(self.space.operations)

        def randn(like: Tensor) -> Tensor:
            return _mirrored(torch.randn(like.shape, generator=rng), operations)

        graphs: list[UndirectedGraph] = []
        for start in range(0, count, SAMPLED_TOGETHER):
            batch = min(SAMPLED_TOGETHER, count - start)
            with torch.inference_mode():
                state = self.sde.prior_std() * randn(torch.empty(batch, nodes, operations + nodes))
                estimates = chosen.solve(self.denoise, state, self.sde, times, randn).numpy()
            rows = self.space.decode(estimates[..., :operations])
            wirings = np.triu(estimates[..., operations:] > 0.5, 1)
            for row, wiring in zip(rows, wirings, strict=True):
                edges = tuple((i, j) for i, j in np.argwhere(wiring).tolist())
                graphs.append(UndirectedGraph(row.operations, edges))
        return graphs


def train_undirected(
    space: SearchSpace,
    *,
    steps: int,
    seed: int,
    report: Callable[[int, float], None] = lambda step, loss: None,
    sde: SDE = PROCESS,
) -> UndirectedModel:
    """Train a network by score matching on X and A (paper, Eq. 3); the weights are averaged (EMA).

    `report` is given the number of each step, from 1, and its loss.
    """
    operations = torch.from_numpy(TrainingSet(seed).operations(space))
    wiring = torch.from_numpy(Architecture((0,) * len(space.nodes), space.edges).adjacency())
    wiring = (wiring + wiring.T).expand(BATCH_SIZE, -1, -1)
    with seeded(seed):
        model = UndirectedModel(space, UndirectedNetwork(len(space.operations)), sde, seed)
        weights = model.network.state_dict()
        average = {name: value.clone() for name, value in weights.items()}
        optimiser = torch.optim.Adam(model.network.parameters(), lr=LEARNING_RATE)
        for step in range(steps):
            batch = operations[torch.randint(len(operations), (BATCH_SIZE,))]
            clean = functional.one_hot(batch, len(space.operations)).float()
            loss = score_matching_loss(model, torch.cat([clean, wiring], dim=-1))
            warm_up = min(1.0, (step + 1) / (WARM_UP * steps))
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.network.parameters(), 1.0)
            optimiser.step()
            ema_decay = min(EMA_DECAY, (1 + step) / (10 + step))
            for name, value in weights.items():
                average[name].lerp_(value, 1 - ema_decay)
            report(step + 1, float(loss.detach()))
    model.network.load_state_dict(average)
    model.network.eval().requires_grad_(False)
    return model


def score_matching_loss(model: UndirectedModel, clean: Tensor) -> Tensor:
    """Return the mean squared error of the noise found in X plus that in A, at uniform t.

    `clean` is [X | A], `batch x N x (F + N)`; the diagonal of A, never noised, does not count.
    """
    sde, operations = model.sde, len(model.space.operations)
    time = sde.final_time + (1 - sde.final_time) * torch.rand(len(clean))
    sigma = sde.sigma(time)
    noise = _mirrored(torch.randn_like(clean), operations)
    error = (model.noise(clean + sigma[:, None, None] * noise, sigma) - noise) ** 2
    nodes = clean.shape[1]
    of_adjacency = error[..., operations:].sum() / (len(clean) * nodes * (nodes - 1))
    return error[..., :operations].mean() + of_adjacency


def to_architecture(space: SearchSpace, graph: UndirectedGraph) -> Architecture | None:
    """Return what a graph reads as under some numbering of its nodes, or None if under none.

    Of several valid readings it is the one with the first operations, so that graphs which differ
    in their numbering alone read the same. Raises DiffusionNAGError without networkx.
    """
    try:
        from networkx import Graph, faster_could_be_isomorphic
        from networkx.algorithms.isomorphism import GraphMatcher
    except ImportError as error:
        raise DiffusionNAGError(
            "comparing graphs needs networkx: pip install 'diffusionnag[experiments]'"
        ) from error
    if UNDECIDED in graph.operations:
        return None
    drawn, places = Graph(list(graph.edges)), Graph(list(space.edges))
    drawn.add_nodes_from((node, {"is": op}) for node, op in enumerate(graph.operations))
    places.add_nodes_from((node, {"allows": row}) for node, row in enumerate(space.allowed))
    if not faster_could_be_isomorphic(drawn, places):
        return None
    matcher = GraphMatcher(drawn, places, lambda node, place: place["allows"][node["is"]])
    readings = []
    for numbering in matcher.isomorphisms_iter():
        operations = [UNDECIDED] * len(space.nodes)
        for node, place in numbering.items():
            operations[place] = graph.operations[node]
        readings.append(Architecture(tuple(operations), space.edges))
    valid = (reading for reading in readings if space.is_valid(reading))
    return min(valid, key=lambda reading: reading.operations, default=None)


def undirected_quality(
    space: SearchSpace,
    model: UndirectedModel,
    graphs: Sequence[UndirectedGraph],
    *,
    as_numbered: bool,
) -> GenerationQuality:
    """Return validity, uniqueness and novelty of graphs that a model generated.

    Each is read under whatever numbering of its nodes makes it valid, or only under its own.
    """
    unreadable = Architecture((UNDECIDED,) * len(space.nodes), space.edges)
    if as_numbered:
        read = [Architecture(graph.operations, graph.edges) for graph in graphs]
    else:
        read = [to_architecture(space, graph) or unreadable for graph in graphs]
    return generation_quality(space, read, TrainingSet(model.seed))


def _mirrored(state: Tensor, operations: int) -> Tensor:
    upper = state[..., operations:].triu(1)
    return torch.cat([state[..., :operations], upper + upper.transpose(1, 2)], dim=-1)


def _perceptron(inputs: int, hidden: int, outputs: int, *, norm: bool = False) -> nn.Sequential:
    first = [nn.LayerNorm(inputs)] if norm else []
    return nn.Sequential(*first, nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))
