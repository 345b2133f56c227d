"""MnasNet as in Accel-NASBench: seven blocks of four choices each (Ahmad et al. 2024)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from diffusionnag.spaces._pasted import without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import Cost, Counter, InvertedResidualShape, strided
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import IMAGE_CHANNELS, ImageClassification
from diffusionnag.spaces.search_space import SearchSpace
from diffusionnag.spaces.shared_blocks import block_names

if TYPE_CHECKING:
    from torch import nn

BLOCKS = 7
FOUR_LAYER_BLOCK = 5
"""The only block (counted from 0) that may have four layers."""
KINDS = {
    "expansion": ("e1", "e4", "e6"),
    "kernel": ("k3", "k5"),
    "layers": ("l1", "l2", "l3", "l4"),
    "squeeze_excite": ("s0", "s1"),
}

Block = tuple[int, int, int, int]
"""Expansion, kernel size, layers, and squeeze-and-excitation 0 or 1."""
STEM, HEAD = 32, 1280
BLOCK_CHANNELS = (16, 24, 40, 80, 112, 192, 320)
BLOCK_STRIDES = (1, 2, 2, 2, 1, 2, 1)
SQUEEZE_REDUCTION = 4
DROPOUT = 0.2
CONVENTION = Counter(norm=4, pooling=True)


class MnasNet(SearchSpace):
    """About 1e11 networks: expansion, kernel, layers and squeeze-and-excitation of seven blocks.

    A node is one choice of one block, in that order. Strings join blocks by `|`: `e4k5l1s0|...`.
    """

    name = "mnasnet"
    nodes = tuple(f"block{block}.{kind}" for block in range(BLOCKS) for kind in KINDS)
    operations = tuple(operation for kind in KINDS.values() for operation in kind)
    edges = tuple((i, i + 1) for i in range(BLOCKS * len(KINDS) - 1))
    networks = NetworkFamily(ImageClassification(1000, 224), smallest=32, convention=CONVENTION)
    elastic_kinds = ("kernel", "layers", "expansion", "squeeze_excite")

    def choices(self, node: int) -> Sequence[str]:
        """Return the options of the node's kind of choice; `l4` in the sixth block alone."""
        block, kind = divmod(node, len(KINDS))
        options = list(KINDS.values())[kind]
        if options == KINDS["layers"] and block != FOUR_LAYER_BLOCK:
            return options[:-1]
        return options

    def format(self, architecture: Architecture) -> str:
        """Return the string of a network, as in the table of Accel-NASBench."""
        names = self.operation_names(architecture)
        width = len(KINDS)
        return "|".join(
            "".join(names[start : start + width]) for start in range(0, len(names), width)
        )

    def parse(self, text: str) -> Architecture:
        """Return the network of a string; raises DiffusionNAGError for any other string."""
        blocks = without_whitespace(text).split("|")
        if len(blocks) != BLOCKS:
            raise self.malformed(text, f"{BLOCKS} blocks joined by '|' expected, not {len(blocks)}")
        operations: list[str] = []
        for number, block in enumerate(blocks):
            match = re.fullmatch(r"(e\d+)(k\d+)(l\d+)(s\d+)", block)
            if match is None:
                raise self.malformed(
                    text, f"block {number}, {block!r}, should read like 'e4k5l1s0'"
                )
            operations.extend(match.groups())
        return self.build(operations, text)

    def interactions(self) -> tuple[tuple[int, ...], ...]:
        """Return the four choices of each block: a block's cost is no sum over them."""
        width = len(KINDS)
        return tuple(tuple(range(b * width, (b + 1) * width)) for b in range(BLOCKS))

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters and multiply-adds in millions (224x224, 1,000 classes)."""
        cost = mnasnet_cost(self.blocks(architecture))
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}

    def blocks(self, architecture: Architecture) -> list[Block]:
        """Return (expansion, kernel, layers, squeeze-and-excitation) of each block."""
        numbers = [int(name[1:]) for name in self.operation_names(architecture)]
        quadruples = zip(*[iter(numbers)] * len(KINDS), strict=True)
        return [(e, k, layers, s) for e, k, layers, s in quadruples]

    def build_network(self, architecture: Architecture, task: ImageClassification) -> nn.Module:
        """Return a network whose activations are ReLU, as in MnasNet (Tan et al. 2019).

        Which ones Accel-NASBench trained with cannot be told from its table, whose counts leave
        them out.
        """
        from torch import nn

        from diffusionnag.spaces.layers import GlobalPool, InvertedResidual, convolution_norm

        shapes = list(_shapes(self.blocks(architecture)))
        return nn.Sequential(
            convolution_norm(IMAGE_CHANNELS, STEM, 3, stride=2),
            *map(InvertedResidual, shapes),
            convolution_norm(shapes[-1].outputs, HEAD, 1),
            GlobalPool(),
            nn.Dropout(DROPOUT),
            nn.Linear(HEAD, task.outputs),
        )

    def shared_names(self, architecture: Architecture, names: Sequence[str]) -> list[str]:
        """Return names that say of which layer of which block a tensor is."""
        blocks = self.blocks(architecture)
        layers = [
            f"block{block}.layer{layer}"
            for block, (_, _, count, _) in enumerate(blocks)
            for layer in range(1, count + 1)
        ]
        return block_names(names, list(zip(layers, _shapes(blocks), strict=True)))

    def extremes(self) -> tuple[Architecture, ...]:
        """Return the network of the last choice at each node, and that of the first."""
        nodes = range(len(self.nodes))
        largest, smallest = ([self.choices(node)[end] for node in nodes] for end in (-1, 0))
        return self.build(largest), self.build(smallest)

    def enlarged(self, architecture: Architecture, elastic: Collection[str]) -> Architecture:
        """Return a network with the last choice of each node whose kind is none of the `elastic`."""
        names = self.operation_names(architecture)
        kinds = list(KINDS) * BLOCKS
        return self.build(
            [
                name if kind in elastic else self.choices(node)[-1]
                for node, (name, kind) in enumerate(zip(names, kinds, strict=True))
            ]
        )


def mnasnet_cost(blocks: Sequence[Block], *, resolution: int = 224, classes: int = 1000) -> Cost:
    """Return the cost of a network of seven blocks, equal to the benchmark's own.

    The benchmark's MACs follow the package thop: those of convolutions and linear layers, four for
    each element that a batch norm scales, and those of global pooling, gates included; bias and
    activations are free. In millions and rounded to float32, both counts are the benchmark's for
    all of its 5,138 architectures. Source: https://github.com/Lyken17/pytorch-OpCounter.
    """
    last, size = STEM, strided(resolution, 2)
    cost = CONVENTION.convolution(IMAGE_CHANNELS, STEM, 3, size)
    for shape in _shapes(blocks):
        cost += CONVENTION.inverted_residual(shape, size)
        last, size = shape.outputs, strided(size, shape.stride)
    cost += CONVENTION.convolution(last, HEAD, 1, size) + CONVENTION.global_pool(HEAD, size)
    return cost + CONVENTION.linear(HEAD, classes)


def _shapes(blocks: Sequence[Block]) -> Iterator[InvertedResidualShape]:
    channels = STEM
    for outputs, first_stride, (expansion, kernel, layers, gated) in zip(
        BLOCK_CHANNELS, BLOCK_STRIDES, blocks, strict=True
    ):
        stride = first_stride
        for _ in range(layers):
            # Here, unlike in MobileNetV3, a layer's input sets the size of its gate.
            squeezed = channels // SQUEEZE_REDUCTION if gated else 0
            hidden = channels * expansion
            yield InvertedResidualShape(channels, hidden, outputs, kernel, stride, squeezed)
            channels, stride = outputs, 1
