"""Analytic parameter and multiply-accumulate (MAC) counts of three architecture search spaces.

Each space is counted the way its own benchmark counts, so that a number from here can be put
beside a published one. All of them count one MAC for each weight that a convolution or a linear
layer applies at each position; they differ in what they add to that, which a `Counter` states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.skeletons import (
    CELL_KERNELS,
    CELL_STAGE_STRIDES,
    IMAGE_CHANNELS,
    MNASNET_HEAD,
    MNASNET_STAGES,
    MNASNET_STEM,
    MOBILENETV3_EXPANDED,
    MOBILENETV3_MIXED,
    MOBILENETV3_STAGES,
    MOBILENETV3_STEM,
    SQUEEZE_REDUCTION,
    divisible,
)

__all__ = [
    "MNASNET_CONVENTION",
    "MOBILENETV3_CONVENTION",
    "NASBENCH201_CONVENTION",
    "Cost",
    "Counter",
    "mnasnet_cost",
    "mobilenetv3_cost",
    "nasbench201_cost",
    "unit",
]


_CELL_EDGES = 6


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

    def inverted_residual(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        kernel: int,
        size: int,
        *,
        stride: int = 1,
        squeezed: int = 0,
    ) -> Cost:
        """Count a block that expands, convolves depthwise, gates if asked to, and projects.

        Arguments:
            inputs: input channels.
            hidden: channels of the depthwise convolution; as many as `inputs` need no expansion.
            outputs: output channels.
            kernel: size of the depthwise kernel.
            size: size of the input.
            stride: stride of the depthwise convolution.
            squeezed: channels inside the squeeze-and-excitation gate; 0 for no gate.

        Source: Sandler et al., "MobileNetV2", CVPR 2018.
        """
        strided = _strided(size, stride)
        cost = self.convolution(hidden, hidden, kernel, strided, groups=hidden)
        cost += self.convolution(hidden, outputs, 1, strided)
        if hidden != inputs:
            cost += self.convolution(inputs, hidden, 1, size)
        if squeezed:
            cost += self.squeeze_excite(hidden, squeezed, strided)
        return cost


NASBENCH201_CONVENTION = Counter(bias=True)
MOBILENETV3_CONVENTION = Counter()
MNASNET_CONVENTION = Counter(norm=4, pooling=True)


def nasbench201_cost(
    cell: Sequence[str],
    *,
    channels: int = 16,
    cells_per_stage: int = 5,
    resolution: int = 32,
    classes: int = 10,
) -> Cost:
    """Cost of a NAS-Bench-201 network, equal to the benchmark's own `params` and `flop`.

    The MACs are those of convolutions and linear layers and one for each bias of the classifier;
    batch norm and pooling are free. In millions both counts are the official ones to the last
    digit for the three entries checked (0, 11 and 284), each on all data sets (resolution 32 and
    10 or 100 classes, resolution 16 and 120 classes). As there, an operation counts even if the
    output does not depend on it.

    Arguments:
        cell: operations on the edges 0>1, 0>2, 1>2, 0>3, 1>3, 2>3, the order of the benchmark's
            architecture string.
        channels: channels of the first stage; each later stage doubles them.
        cells_per_stage: cells in each of the three stages.
        resolution: height and width of the image in pixels.
        classes: classes of the data set.

    Source: Dong & Yang, "NAS-Bench-201", ICLR 2020.
    """
    _require_count("operations in a NAS-Bench-201 cell", cell, _CELL_EDGES)
    if unknown := sorted(set(cell) - set(CELL_KERNELS)):
        known = ", ".join(CELL_KERNELS)
        raise DiffusionNAGError(f"Unknown operation {unknown[0]!r}: NAS-Bench-201 has {known}.")
    kernels = [CELL_KERNELS[operation] for operation in cell if CELL_KERNELS[operation]]

    count = NASBENCH201_CONVENTION
    width, size = channels, resolution
    cost = count.convolution(IMAGE_CHANNELS, width, 3, size)
    for stride in CELL_STAGE_STRIDES:
        size = _strided(size, stride)
        if stride > 1:
            cost += count.convolution(width, 2 * width, 3, size)
            cost += count.convolution(2 * width, 2 * width, 3, size)
            cost += count.convolution(width, 2 * width, 1, size, normalised=False)
            width *= 2
        for kernel in kernels * cells_per_stage:
            cost += count.convolution(width, width, kernel, size)
    return cost + count.batch_norm(width, size) + count.linear(width, classes)


def mobilenetv3_cost(
    stages: Sequence[Sequence[tuple[int, float]]],
    *,
    resolution: int = 224,
    width: float = 1.0,
    classes: int = 1000,
) -> Cost:
    """Cost of a sub-network of the Once-for-All MobileNetV3 `ofa_mbv3_d234_e346_k357`.

    The MACs are those of convolutions and linear layers, gates included; bias, batch norm, pooling
    and activations are free. Both counts are exactly those of the networks that the authors'
    package `ofa` builds. For the layers of MobileNetV3-Large they are 5.482 M parameters, 1,280
    fewer than in torchvision, where one more layer has a bias, and 216.6 M MACs, where Howard et
    al. (2019) publish 219 M.

    Arguments:
        stages: five stages, each of two to four layers given as (kernel size, expansion).
        resolution: height and width of the image in pixels.
        width: factor on all numbers of channels; the authors trained 1.0 and 1.2.
        classes: classes of the data set.

    Source: Cai et al., "Once-for-All", ICLR 2020.
    """
    _require_count("stages of a MobileNetV3", stages, len(MOBILENETV3_STAGES))
    count = MOBILENETV3_CONVENTION
    channels, size = divisible(MOBILENETV3_STEM * width), _strided(resolution, 2)
    cost = count.convolution(IMAGE_CHANNELS, channels, 3, size)
    cost += count.inverted_residual(channels, channels, channels, 3, size)
    for stage, layers in zip(MOBILENETV3_STAGES, stages, strict=True):
        outputs, stride = divisible(stage.channels * width), stage.stride
        for kernel, expansion in layers:
            hidden = divisible(round(channels * expansion))
            squeezed = divisible(hidden // SQUEEZE_REDUCTION) if stage.gated else 0
            cost += count.inverted_residual(
                channels, hidden, outputs, kernel, size, stride=stride, squeezed=squeezed
            )
            channels, size, stride = outputs, _strided(size, stride), 1

    expanded, mixed = (
        divisible(MOBILENETV3_EXPANDED * width),
        divisible(MOBILENETV3_MIXED * width),
    )
    cost += count.convolution(channels, expanded, 1, size) + count.global_pool(expanded, size)
    return cost + count.linear(expanded, mixed, bias=False) + count.linear(mixed, classes)


def mnasnet_cost(
    blocks: Sequence[tuple[int, int, int, int]], *, resolution: int = 224, classes: int = 1000
) -> Cost:
    """Cost of a network in the MnasNet space of Accel-NASBench, equal to the benchmark's own.

    The benchmark's MACs follow the package thop: those of convolutions and linear layers, four for
    each element that a batch norm scales, and those of global pooling, gates included; bias and
    activations are free. In millions and rounded to float32, both counts are the benchmark's for
    all of its 5,138 architectures.

    Arguments:
        blocks: seven blocks as (expansion, kernel size, layers, squeeze-and-excitation 0 or 1).
        resolution: height and width of the image in pixels.
        classes: classes of the data set.

    Source: Ahmad et al., "Accel-NASBench", 2024; https://github.com/Lyken17/pytorch-OpCounter.
    """
    _require_count("blocks of a MnasNet", blocks, len(MNASNET_STAGES))
    count = MNASNET_CONVENTION
    channels, size = MNASNET_STEM, _strided(resolution, 2)
    cost = count.convolution(IMAGE_CHANNELS, channels, 3, size)
    for stage, (expansion, kernel, layers, gated) in zip(MNASNET_STAGES, blocks, strict=True):
        outputs, stride = stage.channels, stage.stride
        for _ in range(layers):
            hidden = channels * expansion
            # Here, unlike in MobileNetV3, a layer's input sets the size of its gate.
            squeezed = channels // SQUEEZE_REDUCTION if gated else 0
            cost += count.inverted_residual(
                channels, hidden, outputs, kernel, size, stride=stride, squeezed=squeezed
            )
            channels, size, stride = outputs, _strided(size, stride), 1

    cost += count.convolution(channels, MNASNET_HEAD, 1, size)
    return cost + count.global_pool(MNASNET_HEAD, size) + count.linear(MNASNET_HEAD, classes)


def _strided(size: int, stride: int) -> int:
    return -(-size // stride)


def _require_count(what: str, items: Sequence[object], count: int) -> None:
    if len(items) != count:
        raise DiffusionNAGError(f"The number of {what} is {count}, not {len(items)}.")


def unit(property_name: str) -> str:
    """Return what to write behind an analytic property: parameters and MACs come in millions."""
    return " M" if property_name in ("params", "macs") else ""
