"""The networks of DARTS genotypes: twenty cells for CIFAR-10, two of which halve the resolution.

Source: Liu, Simonyan & Yang, "DARTS", ICLR 2019, section 3.2; without auxiliary head and drop path.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffusionnag.spaces.layers import FactorizedReduce, GlobalPool, relu_convolution_norm
from diffusionnag.spaces.network_tasks import IMAGE_CHANNELS, ImageClassification

CHANNELS, STEM = 36, 108
LAYERS = 20

Parts = Sequence[tuple[str, int]]
"""The operations of a cell, two for each node, each with the number of what feeds it."""


class GenotypeCell(nn.Module):
    """Four nodes that each add up two operations on earlier ones, or on the two cells before."""

    def __init__(
        self, parts: Parts, inputs: tuple[int, int], channels: int, *, halves: bool, halved: bool
    ) -> None:
        super().__init__()
        first, second = inputs
        self.first: nn.Module = (
            FactorizedReduce(first, channels)
            if halved
            else relu_convolution_norm(first, channels, 1)
        )
        self.second = relu_convolution_norm(second, channels, 1)
        self.sources = [source for _, source in parts]
        self.operations = nn.ModuleList(
            _operation(name, channels, 2 if halves and source < 2 else 1) for name, source in parts
        )

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        """Return the four nodes joined, `batch x 4 channels x H x W`."""
        maps = [self.first(before_last), self.second(last)]
        pairs = zip(self.operations, self.sources, strict=True)
        for (left, source), (right, other) in zip(pairs, pairs, strict=True):
            maps.append(left(maps[source]) + right(maps[other]))
        return torch.cat(maps[2:], dim=1)


class GenotypeNetwork(nn.Module):
    """A stem, cells each of which is fed by the two before it, and a linear layer on averages."""

    def __init__(self, normal: Parts, reduce: Parts, outputs: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(IMAGE_CHANNELS, STEM, 3, padding=1, bias=False), nn.BatchNorm2d(STEM)
        )
        before_last = last = STEM
        channels, halved = CHANNELS, False
        self.cells = nn.ModuleList()
        for layer in range(LAYERS):
            halves = layer in (LAYERS // 3, 2 * LAYERS // 3)
            channels *= 2 if halves else 1
            parts = reduce if halves else normal
            inputs = (before_last, last)
            self.cells.append(GenotypeCell(parts, inputs, channels, halves=halves, halved=halved))
            before_last, last, halved = last, 4 * channels, halves
        self.head = nn.Sequential(GlobalPool(), nn.Linear(last, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of images, `batch x outputs`."""
        before_last = last = self.stem(x)
        for cell in self.cells:
            before_last, last = last, cell(before_last, last)
        return self.head(last)


def darts_network(normal: Parts, reduce: Parts, task: ImageClassification) -> nn.Module:
    """Return the network of a genotype."""
    return GenotypeNetwork(normal, reduce, task.outputs)


def _operation(name: str, channels: int, stride: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    kind, size = name.rsplit("_", 1)
    kernel = int(size.split("x")[0])
    if kind == "max_pool":
        return nn.MaxPool2d(kernel, stride, padding=kernel // 2)
    if kind == "avg_pool":
        return nn.AvgPool2d(kernel, stride, padding=kernel // 2, count_include_pad=False)
    if kind == "dil_conv":
        return _separable(channels, kernel, stride, dilation=2)
    return nn.Sequential(_separable(channels, kernel, stride), _separable(channels, kernel, 1))


def _separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> nn.Module:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    )
