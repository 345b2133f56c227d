"""Counting parameters and multiply-accumulate operations (MACs) from the shapes of layers alone.

Each space counts the way its own benchmark counts, so that a number from here can be put beside a
published one. All of them count one MAC for each weight that a convolution or a linear layer
applies at each position; they differ in what they add to that, which a `Counter` states.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Cost:
    """Size and work of a network or of a part of one; costs of parts add up.

    Arguments:
        parameters: learned numbers; the running statistics of a batch norm are not among them.
        macs: multiply-accumulate operations for one image.
    """

    parameters: int = 0
    macs: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.macs + other.macs)


class InvertedResidualShape(NamedTuple):
    """The sizes of a block that expands, convolves depthwise, gates if asked to, and projects.

    Source: Sandler et al., "MobileNetV2", CVPR 2018.
    """

    inputs: int
    hidden: int
    """Channels of the depthwise convolution; as many as inputs need no expansion."""
    outputs: int
    kernel: int
    stride: int = 1
    squeezed: int = 0
    """Channels inside the squeeze-and-excitation gate; 0 for no gate."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts layers under one convention of what is a MAC besides the use of a weight.

    Sizes are heights, and equal widths, in pixels.

    Arguments:
        bias: whether adding a bias to an element is one MAC.
        norm: MACs for each element that a batch norm scales.
        pooling: whether global pooling is one MAC for each element and one for each division.
    """

    bias: bool = False
    norm: int = 0
    pooling: bool = False

    def convolution(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        size: int,
        *,
        groups: int = 1,
        bias: bool = False,
        normalised: bool = True,
    ) -> Cost:
        """Count a square convolution and, where `normalised`, the batch norm that follows it.

        Arguments:
            inputs: input channels.
            outputs: output channels.
            kernel: size of the kernel.
            size: size of the output.
            groups: groups that the channels are split into; `inputs` groups make it depthwise.
            bias: whether it adds a bias.
            normalised: whether a batch norm follows.
        """
        weights = inputs // groups * outputs * kernel**2
        biases = outputs if bias else 0
        counted_biases = biases if self.bias else 0
        cost = Cost(weights + biases, (weights + counted_biases) * size**2)
        return cost + self.batch_norm(outputs, size) if normalised else cost

    def batch_norm(self, channels: int, size: int) -> Cost:
        """Count a batch norm, which learns a scale and a shift for each channel."""
        return Cost(2 * channels, self.norm * channels * size**2)

    def linear(self, inputs: int, outputs: int, *, bias: bool = True) -> Cost:
        """Count a linear layer from `inputs` to `outputs` features."""
        return self.convolution(inputs, outputs, 1, 1, bias=bias, normalised=False)

    def global_pool(self, channels: int, size: int) -> Cost:
        """Count the average of each channel over all positions of a map of `size`."""
        return Cost(macs=channels * (size**2 + 1) if self.pooling else 0)

    def squeeze_excite(self, channels: int, squeezed: int, size: int) -> Cost:
        """Count a squeeze-and-excitation gate, which biases both of its layers.

        Arguments:
            channels: channels it gates.
            squeezed: channels between its two layers.
            size: size of the gated feature map.

        Source: Hu, Shen & Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
        """
        layers = self.linear(channels, squeezed) + self.linear(squeezed, channels)
        return self.global_pool(channels, size) + layers

    def inverted_residual(self, shape: InvertedResidualShape, size: int) -> Cost:
        """Count a block that expands, convolves depthwise, gates if asked to, and projects.

        `size` is that of the block's input.
        """
        return _inverted_residual(self, shape, size)


# A space has few blocks, of which every architecture is made.
@functools.lru_cache(maxsize=4096)
def _inverted_residual(counter: Counter, shape: InvertedResidualShape, size: int) -> Cost:
    inputs, hidden, outputs, kernel, stride, squeezed = shape
    output_size = strided(size, stride)
    cost = counter.convolution(hidden, hidden, kernel, output_size, groups=hidden)
    cost += counter.convolution(hidden, outputs, 1, output_size)
    if hidden != inputs:
        cost += counter.convolution(inputs, hidden, 1, size)
    if squeezed:
        cost += counter.squeeze_excite(hidden, squeezed, output_size)
    return cost


WEIGHTS_ONLY = Counter()
"""One MAC for each weight that a convolution or a linear layer applies at each position."""


@functools.lru_cache(maxsize=4096)
def peak_memory(shape: InvertedResidualShape, size: int) -> int:
    """Return the most numbers that a block holds in memory at once, `size` being its input's.

    They are the input, the output and the weights of one of its convolutions, and the block's own
    input as long as it is still to be added. Gates take less.

    Source: the count of Cai et al., "TinyTL", NeurIPS 2020, and of memory-optimized Once-for-All.
    """
    inputs, hidden, outputs, kernel, stride, _ = shape
    area, strided_area = size**2, strided(size, stride) ** 2
    waiting = inputs * area if stride == 1 and inputs == outputs else 0
    expanding = (inputs + hidden) * area + inputs * hidden if hidden != inputs else 0
    depthwise = hidden * (area + strided_area + kernel**2) + waiting
    projecting = (hidden + outputs) * strided_area + hidden * outputs + waiting
    return max(expanding, depthwise, projecting)


def strided(size: int, stride: int) -> int:
    """Return the size of a map behind a padded layer of this stride."""
    return -(-size // stride)
