"""Layers that the networks of several spaces share.

They stand beside the spaces, which own how their networks are built, and not in `networks`, which
trains and measures networks of any space. Spaces import them when they build: torch takes a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from diffusionnag.spaces.cost import InvertedResidualShape

Activation = type[nn.Module]


def convolution_norm(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: Activation | None = nn.ReLU,
) -> nn.Sequential:
    """Return a square convolution without bias, a batch norm, and an activation if there is one.

    Padding keeps the size at stride 1, and halves it, rounding up, at stride 2.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation()] if activation is not None else []))


def relu_convolution_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return an activation, a square convolution without bias, and a batch norm."""
    convolution = convolution_norm(inputs, outputs, kernel, stride=stride, activation=None)
    return nn.Sequential(nn.ReLU(), *convolution)


class GlobalPool(nn.Module):
    """Averages each channel over all positions, `batch x C x H x W` to `batch x C`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the averages, `batch x C`."""
        return x.mean((2, 3))


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all channels' averages.

    Source: Hu, Shen & Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
    """

    def __init__(self, channels: int, squeezed: int, gate: Activation = nn.Sigmoid) -> None:
        super().__init__()
        self.pool = GlobalPool()
        self.layers = nn.Sequential(
            nn.Linear(channels, squeezed), nn.ReLU(), nn.Linear(squeezed, channels), gate()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its channels scaled, `batch x C x H x W`."""
        return x * self.layers(self.pool(x))[:, :, None, None]


class InvertedResidual(nn.Module):
    """Expands, convolves depthwise, gates if asked to, and projects; adds its input if it can.

    Source: Sandler et al., "MobileNetV2", CVPR 2018.
    """

    def __init__(
        self,
        shape: InvertedResidualShape,
        activation: Activation = nn.ReLU,
        gate: Activation = nn.Sigmoid,
    ) -> None:
        super().__init__()
        inputs, hidden, outputs, kernel, stride, squeezed = shape
        layers: list[nn.Module] = []
        if hidden != inputs:
            layers.append(convolution_norm(inputs, hidden, 1, activation=activation))
        layers.append(
            convolution_norm(
                hidden, hidden, kernel, stride=stride, groups=hidden, activation=activation
            )
        )
        if squeezed:
            layers.append(SqueezeExcite(hidden, squeezed, gate))
        layers.append(convolution_norm(hidden, outputs, 1, activation=None))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, `batch x outputs x H/stride x W/stride`."""
        return x + self.layers(x) if self.residual else self.layers(x)


class Zero(nn.Module):
    """Lets nothing through; like a convolution it may have other outputs and a stride."""

    def __init__(self, outputs: int | None = None, stride: int = 1) -> None:
        super().__init__()
        self.outputs, self.stride = outputs, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros, `batch x outputs x H/stride x W/stride`."""
        # The batch is not taken by `len`, which an exported program would fix.
        sizes = (-(-size // self.stride) for size in x.shape[2:])
        return x.new_zeros(x.shape[0], self.outputs or x.shape[1], *sizes)


class FactorizedReduce(nn.Module):
    """Halves the resolution by two 1x1 convolutions, of which one looks a pixel further.

    Source: Liu, Simonyan & Yang, "DARTS", ICLR 2019.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.first = nn.Conv2d(inputs, half, 1, 2, bias=False)
        self.second = nn.Conv2d(inputs, outputs - half, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return `batch x outputs x H/2 x W/2`, rounded up."""
        x = x.relu()
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat([self.first(x), self.second(shifted)], dim=1))


class Residual(nn.Module):
    """Adds what two modules make of the same input."""

    def __init__(self, block: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.block, self.shortcut = block, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return self.shortcut(x) + self.block(x)


class Cell(nn.Module):
    """Feature maps, the first of which is the input, and each other a sum over earlier ones.

    `sources` holds the numbers of the maps that the second map is made of, and so on; `edges` one
    module for each of them, in the same order.
    """

    def __init__(self, edges: Iterable[nn.Module], sources: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.edges, self.sources = nn.ModuleList(edges), sources

    def forward(self, x: Tensor) -> Tensor:
        """Return the last feature map."""
        maps, edges = [x], iter(self.edges)
        for sources in self.sources:
            incoming = [next(edges)(maps[source]) for source in sources]
            maps.append(torch.stack(incoming).sum(0) if len(incoming) > 1 else incoming[0])
        return maps[-1]
