"""NAS-Bench-Macro: eight layers in a row, each one of three blocks (Su et al. 2021)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from diffusionnag.spaces._pasted import without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import WEIGHTS_ONLY, Cost, InvertedResidualShape, strided
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import IMAGE_CHANNELS, ImageClassification
from diffusionnag.spaces.search_space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

BLOCKS = {"identity": None, "mbconv_e3_k3": (3, 3), "mbconv_e6_k5": (6, 5)}
"""Expansion and kernel size of each block; their places are the digits of the benchmark's string."""
LAYER_CHANNELS = (64, 64, 128, 128, 128, 256, 256, 256)
"""A layer that has more channels than the one before halves the resolution."""
STEM, HEAD = 32, 1280
RESOLUTION, CLASSES = 32, 10


class NASBenchMacro(SearchSpace):
    """The 6,561 networks of NAS-Bench-Macro, all of them trained on CIFAR-10.

    A node is a layer. Strings are the benchmark's: in `02121020` the digits are the blocks of the eight
    layers, 0 for the identity, 1 for an inverted residual block of expansion 3 and kernel size 3, 2 for
    one of 6 and 5.
    """

    name = "nasbench_macro"
    nodes = tuple(f"layer{number}" for number in range(1, len(LAYER_CHANNELS) + 1))
    operations = tuple(BLOCKS)
    edges = tuple((i, i + 1) for i in range(len(LAYER_CHANNELS) - 1))
    networks = NetworkFamily(ImageClassification(CLASSES, RESOLUTION), smallest=8)

    def format(self, architecture: Architecture) -> str:
        """Return the benchmark's string of a network."""
        return "".join(map(str, architecture.operations))

    def parse(self, text: str) -> Architecture:
        """Return the network of a benchmark string; white space means nothing.

        Raises DiffusionNAGError for any other string.
        """
        written = without_whitespace(text)
        if not re.fullmatch(f"[0-2]{{{len(self.nodes)}}}", written):
            raise self.malformed(text, "it should read like '02121020', eight digits from 0 to 2")
        return self.build([self.operations[int(digit)] for digit in written], text)

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters and multiply-adds in millions (32x32, 10 classes)."""
        cost = nasbench_macro_cost(self.operation_names(architecture))
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}

    def build_network(self, architecture: Architecture, task: ImageClassification) -> nn.Module:
        """Return a stem, the eight layers, a 1x1 convolution and a classifier.

        The identity is a 1x1 convolution where a layer halves the resolution. Activations are ReLU;
        which ones the benchmark trained with cannot be told from its counts.
        """
        from torch import nn

        from diffusionnag.spaces.layers import GlobalPool, InvertedResidual, convolution_norm

        def layer(inputs: int, outputs: int, stride: int, block: str) -> nn.Module:
            shape = _shape(inputs, outputs, stride, block)
            if shape is not None:
                return InvertedResidual(shape)
            if stride == 1:
                return nn.Identity()
            return convolution_norm(inputs, outputs, 1, stride=stride, activation=None)

        return nn.Sequential(
            convolution_norm(IMAGE_CHANNELS, STEM, 3),
            *(layer(*each) for each in _layers(self.operation_names(architecture))),
            convolution_norm(LAYER_CHANNELS[-1], HEAD, 1),
            GlobalPool(),
            nn.Linear(HEAD, task.outputs),
        )


def nasbench_macro_cost(
    blocks: Sequence[str], *, resolution: int = RESOLUTION, classes: int = CLASSES
) -> Cost:
    """Return the cost of a network of eight blocks by name, equal to the benchmark's own."""
    count, size = WEIGHTS_ONLY, resolution
    cost = count.convolution(IMAGE_CHANNELS, STEM, 3, size)
    for inputs, outputs, stride, block in _layers(blocks):
        shape = _shape(inputs, outputs, stride, block)
        if shape is not None:
            cost += count.inverted_residual(shape, size)
        elif stride > 1:
            cost += count.convolution(inputs, outputs, 1, strided(size, stride))
        size = strided(size, stride)
    return cost + count.convolution(LAYER_CHANNELS[-1], HEAD, 1, size) + count.linear(HEAD, classes)


def _layers(blocks: Sequence[str]) -> Iterator[tuple[int, int, int, str]]:
    """Yield the input channels, the output channels, the stride and the block of each layer."""
    channels = STEM
    for outputs, block in zip(LAYER_CHANNELS, blocks, strict=True):
        yield channels, outputs, 1 if outputs == channels else 2, block
        channels = outputs


def _shape(inputs: int, outputs: int, stride: int, block: str) -> InvertedResidualShape | None:
    """Return the sizes of an inverted residual block, None for the identity."""
    sizes = BLOCKS[block]
    if sizes is None:
        return None
    expansion, kernel = sizes
    return InvertedResidualShape(inputs, inputs * expansion, outputs, kernel, stride)
