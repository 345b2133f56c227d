"""Networks of NAS-Bench-201: three stages of equal cells (Dong & Yang 2020, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffusionnag.networks.layers import GlobalPool, convolution_norm
from diffusionnag.spaces.nasbench201 import SOURCES
from diffusionnag.spaces.skeletons import CELL_KERNELS, CELL_STAGE_STRIDES, IMAGE_CHANNELS


class Zero(nn.Module):
    """Lets nothing through."""

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros, `batch x C x H x W`."""
        return torch.zeros_like(x)


def edge_operation(name: str, channels: int) -> nn.Module:
    """Return one of the five operations, which all keep `batch x channels x H x W`."""
    if name == "none":
        return Zero()
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return _relu_convolution_norm(channels, channels, CELL_KERNELS[name])


def _relu_convolution_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1
) -> nn.Sequential:
    convolution = convolution_norm(inputs, outputs, kernel, stride=stride, activation=None)
    return nn.Sequential(nn.ReLU(), *convolution)


class Cell(nn.Module):
    """Four feature maps; each is the sum of operations on all earlier ones."""

    def __init__(self, operations: Sequence[str], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(edge_operation(name, channels) for name in operations)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last feature map, `batch x C x H x W`."""
        maps, edges = [x], iter(self.edges)
        for sources in SOURCES:
            incoming = [next(edges)(maps[source]) for source in sources]
            maps.append(torch.stack(incoming).sum(0) if len(incoming) > 1 else incoming[0])
        return maps[-1]


class Reduction(nn.Module):
    """The residual block between stages: half the size, twice the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            _relu_convolution_norm(inputs, outputs, 3, stride=2),
            _relu_convolution_norm(outputs, outputs, 3),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True), nn.Conv2d(inputs, outputs, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return `batch x 2C x H/2 x W/2`."""
        return self.shortcut(x) + self.block(x)


def nasbench201_network(
    cell: Sequence[str], *, channels: int = 16, cells_per_stage: int = 5, classes: int = 10
) -> nn.Sequential:
    """Return the network of a cell, from images `batch x 3 x H x W` to logits `batch x classes`.

    `cell` holds the operations on the edges 0>1, 0>2, 1>2, 0>3, 1>3, 2>3.
    """
    width = channels
    layers: list[nn.Module] = [convolution_norm(IMAGE_CHANNELS, width, 3, activation=None)]
    for stride in CELL_STAGE_STRIDES:
        if stride > 1:
            layers.append(Reduction(width, stride * width))
            width *= stride
        layers += [Cell(cell, width) for _ in range(cells_per_stage)]
    head = (nn.BatchNorm2d(width), nn.ReLU(), GlobalPool(), nn.Linear(width, classes))
    return nn.Sequential(*layers, *head)
