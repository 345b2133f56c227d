"""One network whose weights all networks of a space share."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from diffusionnag._devices import torch_defaults
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks import build_network
from diffusionnag.networks.building import construct
from diffusionnag.spaces import Architecture, SearchSpace, Task
from diffusionnag.supernets._shared_tensors import (
    SharedTensors,
    kernel_matrices,
    observed_shapes,
    part_of,
)

RANDOM_PATHS = 2
"""Networks drawn at random at a step, beside the largest and the smallest."""
PART = 64
"""Examples that each of several random networks gets of a batch, where none contains the others."""
DRAWS = 1_000
"""Architectures drawn until each operation has been seen at each of its nodes."""


class Supernet(nn.Module):
    """The weights that the networks of a space share, and each of these networks with its part.

    The space's `shared_names` says which tensors are one; a network that has fewer channels takes
    the first ones, a smaller kernel comes of the middle of the larger one by a learnt matrix (Cai et
    al., "Once-for-All", ICLR 2020). In training mode a batch goes through several networks, and
    `paths x batch x outputs` come out: the largest, the smallest and two at random (the sandwich rule
    of Yu & Huang, ICCV 2019). Where the space has no extremes, networks at random share the batch, one
    for each 64 examples, and `1 x batch x outputs` come out (up to 127 it is one network, as in Li &
    Talwalkar, "Random search and reproducibility for NAS", UAI 2019). In evaluation mode it is `shown`, the
    first network that it was made of. What these networks have less of than the largest is of the
    `elastic` kinds, all of the space's unless it is set. Raises DiffusionNAGError for a space without
    a supernet.
    """

    @torch_defaults()
    def __init__(self, space: SearchSpace, task: Task, seed: int = 0) -> None:
        super().__init__()
        if not space.shares_weights:
            raise DiffusionNAGError(
                f"{space.name} has no supernet: it does not say which weights its networks share"
            )
        self.space, self.task = space, task
        self.elastic: Collection[str] = space.elastic_kinds
        self.extremes = space.extremes()
        members = list(self.extremes) or covering(space)
        self.shown = members[0]
        networks = [build_network(space, each, task=task, seed=seed) for each in members]
        named = [
            self._shared(architecture, network)
            for architecture, network in zip(members, networks, strict=True)
        ]
        self.tensors = SharedTensors()
        shapes = observed_shapes(named)
        for name, (shape, _) in shapes.items():
            initial = next(
                tensors[name]
                for tensors in named
                if name in tensors and tensors[name].shape == shape
            )
            self.tensors.add(name, initial)
        for name, matrix in kernel_matrices(shapes):
            self.tensors.add(name, nn.Parameter(matrix))

    def forward(self, x: Tensor) -> Tensor:
        """Return `batch x outputs` of the shown network; in training `paths x batch x outputs`."""
        if not self.training:
            return self.run(self.shown, x)
        if self.extremes:
            paths = self.enlarged([*self.extremes, *self._drawn(RANDOM_PATHS)])
            return torch.stack([self.run(architecture, x) for architecture in paths])
        parts = x.tensor_split(max(1, len(x) // PART))
        shared = zip(self._drawn(len(parts)), parts, strict=True)
        return torch.cat([self.run(architecture, part) for architecture, part in shared])[None]

    def run(self, architecture: Architecture, x: Tensor) -> Tensor:
        """Return the outputs of an architecture's network with the shared weights."""
        with torch.device("meta"):
            network = construct(self.space, architecture, self.task)
        network.train(self.training)
        return functional_call(network, self._parts(architecture, network), (x,))

    @torch_defaults()
    def extract(self, architecture: Architecture) -> nn.Module:
        """Return an architecture's network on its own, with its part of the weights, in evaluation mode."""
        network = build_network(self.space, architecture, task=self.task)
        network.load_state_dict(self._parts(architecture, network), strict=False)
        return network.eval()

    def _drawn(self, count: int) -> list[Architecture]:
        """Return random networks for a step, drawn by torch's generator."""
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        return self.space.architectures(self.space.sample_operations(count, rng))

    def enlarged(self, architectures: Sequence[Architecture]) -> list[Architecture]:
        """Return architectures with nothing less than the largest but of the elastic kinds, each once."""
        grown = (self.space.enlarged(each, self.elastic) for each in architectures)
        return list(dict.fromkeys(grown))

    def _parts(self, architecture: Architecture, network: nn.Module) -> dict[str, Tensor]:
        """Return each tensor of a network, by its name there, as a part of the shared ones."""
        own, shared = _tensors(network), self.tensors.by_name()
        parts: dict[str, Tensor] = {}
        for name, shared_name in self._names(architecture, own).items():
            shape = own[name].shape
            there = shared[shared_name].shape if shared_name in shared else torch.Size()
            fits = len(there) == len(shape) and all(map(operator.ge, there, shape))
            if shared_name not in shared or not fits:
                raise DiffusionNAGError(
                    f"the supernet of {self.space.name} has no {shared_name} of {list(shape)}, only "
                    f"{list(there)}; `extremes` should return the largest network"
                )
            parts[name] = part_of(shared, shared_name, shape)
        return parts

    def _shared(self, architecture: Architecture, network: nn.Module) -> dict[str, Tensor]:
        """Return the tensors of a network by the names under which they are shared."""
        own = _tensors(network)
        return {shared: own[name] for name, shared in self._names(architecture, own).items()}

    def _names(self, architecture: Architecture, own: Mapping[str, Tensor]) -> dict[str, str]:
        """Return the name in the supernet of each tensor of a network."""
        names = self.space.shared_names(architecture, list(own))
        if len(set(names)) != len(own):
            raise DiffusionNAGError(
                f"`shared_names` of {self.space.name} gave {len(set(names))} different names to "
                f"{len(own)} tensors of {self.space.format(architecture)}"
            )
        return dict(zip(own, names, strict=True))


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def covering(space: SearchSpace) -> list[Architecture]:
    """Return architectures of which, at each node, one has each operation that may stand there."""
    seen = np.zeros_like(space.allowed)
    nodes = np.arange(len(space.nodes))
    chosen: list[Architecture] = []
    for architecture in space.sample(DRAWS, seed=0):
        row = nodes, list(architecture.operations)
        if not seen[row].all():
            seen[row] = True
            chosen.append(architecture)
        if seen.sum() == space.allowed.sum():
            break
    return chosen
