"""The networks of DARTS genotypes: twenty cells for CIFAR-10, fourteen for ImageNet.

Source: Liu, Simonyan & Yang, "DARTS", ICLR 2019, section 3.2 and appendix, and the authors' program
for what an auxiliary head is made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffusionnag.spaces.layers import FactorizedReduce, GlobalPool, relu_convolution_norm
from diffusionnag.spaces.network_tasks import IMAGE_CHANNELS, ImageClassification

IMAGENET_FROM = 128
"""Pixels from which on images are ImageNet's: three convolutions then halve them before any cell."""
CIFAR_CHANNELS, CIFAR_CELLS, STEM = 36, 20, 108
IMAGENET_CHANNELS, IMAGENET_CELLS = 48, 14
AUXILIARY = (128, 768)
"""Channels of an auxiliary head."""

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
        self.drop_path = 0.0
        self.operations = nn.ModuleList(
            _operation(name, channels, 2 if halves and source < 2 else 1) for name, source in parts
        )

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        """Return the four nodes joined, `batch x 4 channels x H x W`."""
        maps = [self.first(before_last), self.second(last)]
        pairs = zip(self.operations, self.sources, strict=True)
        for (left, source), (right, other) in zip(pairs, pairs, strict=True):
            maps.append(self._path(left, maps[source]) + self._path(right, maps[other]))
        return torch.cat(maps[2:], dim=1)

    def _path(self, operation: nn.Module, x: Tensor) -> Tensor:
        """Return what an operation makes of images; in training nothing of some, drawn at random."""
        made = operation(x)
        if not self.training or not self.drop_path or isinstance(operation, nn.Identity):
            return made
        kept = 1 - self.drop_path
        drawn = torch.rand(len(made), 1, 1, 1, device=made.device, dtype=made.dtype)
        return made * (drawn < kept) / kept


class AuxiliaryHead(nn.Sequential):
    """Tells the classes from the middle of a network; its mistakes count while the network trains.

    `stride` is that of the first average, 3 for maps of 8 x 8 and 2 for 14 x 14. The second norm is
    missing for ImageNet, in the authors' program too.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, *, norm: bool) -> None:
        narrow, wide = AUXILIARY
        super().__init__(
            nn.ReLU(),
            nn.AvgPool2d(5, stride, count_include_pad=False),
            nn.Conv2d(inputs, narrow, 1, bias=False),
            nn.BatchNorm2d(narrow),
            nn.ReLU(),
            nn.Conv2d(narrow, wide, 2, bias=False),
            nn.BatchNorm2d(wide) if norm else nn.Identity(),
            nn.ReLU(),
            GlobalPool(),
            nn.Linear(wide, outputs),
        )


class GenotypeNetwork(nn.Module):
    """A stem, cells each of which is fed by the two before it, and a linear layer on averages."""

    def __init__(self, normal: Parts, reduce: Parts, outputs: int, *, imagenet: bool) -> None:
        super().__init__()
        self.outputs, self.imagenet = outputs, imagenet
        if imagenet:
            layers, channels, halved = IMAGENET_CELLS, IMAGENET_CHANNELS, True
            before_last = last = channels
            self.stem, self.second_stem = _imagenet_stems(channels)
        else:
            layers, channels, halved = CIFAR_CELLS, CIFAR_CHANNELS, False
            before_last = last = STEM
            self.stem = nn.Sequential(
                nn.Conv2d(IMAGE_CHANNELS, STEM, 3, padding=1, bias=False), nn.BatchNorm2d(STEM)
            )
            self.second_stem = nn.Identity()
        self.cells = nn.ModuleList()
        for layer in range(layers):
            halves = layer in (layers // 3, 2 * layers // 3)
            channels *= 2 if halves else 1
            parts = reduce if halves else normal
            inputs = (before_last, last)
            self.cells.append(GenotypeCell(parts, inputs, channels, halves=halves, halved=halved))
            before_last, last, halved = last, 4 * channels, halves
        self.joined = last
        self.head = nn.Sequential(GlobalPool(), nn.Linear(last, outputs))
        self.auxiliary_head: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits of images, `batch x outputs`; in training those of the other head too."""
        before_last = self.stem(x)
        last = self.second_stem(before_last)
        middle = None
        for layer, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last)
            if layer == self._middle:
                middle = last
        logits = self.head(last)
        if not self.training or self.auxiliary_head is None or middle is None:
            return logits
        return logits, self.auxiliary_head(middle)

    @property
    def _middle(self) -> int:
        """The second cell that halves the resolution."""
        return 2 * len(self.cells) // 3

    def drop_paths(self, share: float) -> None:
        """Let each operation, but for skip connections, be left out for that share of the images."""
        for cell in self.cells:
            cell.drop_path = share  # type: ignore[assignment]

    def add_auxiliary_head(self) -> None:
        """Add a head that serves training alone; `forward` then returns two, while it trains."""
        stride = 2 if self.imagenet else 3
        self.auxiliary_head = AuxiliaryHead(
            self.joined, self.outputs, stride, norm=not self.imagenet
        )

    def remove_auxiliary_head(self) -> None:
        """Remove that head, after training."""
        self.auxiliary_head = None


def darts_network(normal: Parts, reduce: Parts, task: ImageClassification) -> nn.Module:
    """Return the network of a genotype: for ImageNet where images are that large, else for CIFAR-10."""
    imagenet = task.resolution >= IMAGENET_FROM
    return GenotypeNetwork(normal, reduce, task.outputs, imagenet=imagenet)


def _imagenet_stems(channels: int) -> tuple[nn.Module, nn.Module]:
    """Return what makes maps of a fourth and of an eighth of an image's size."""
    first = nn.Sequential(
        nn.Conv2d(IMAGE_CHANNELS, channels // 2, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(channels // 2),
        nn.ReLU(),
        nn.Conv2d(channels // 2, channels, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )
    second = nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )
    return first, second


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
