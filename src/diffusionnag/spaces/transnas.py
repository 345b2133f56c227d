"""TransNAS-Bench-101, micro: a cell of six edges, each carrying one of four operations (Duan et al. 2021)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from diffusionnag.spaces._pasted import without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import WEIGHTS_ONLY, Cost, strided
from diffusionnag.spaces.nasbench201 import EDGE_OPERATIONS, KERNELS, SOURCES, NASBench201
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import IMAGE_CHANNELS, ImageClassification
from diffusionnag.spaces.search_space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

CELL_OPERATIONS = EDGE_OPERATIONS[:4]
"""Their places are the digits of the benchmark's string."""
SKELETON = "64-41414"
"""The benchmark's name for what all networks share."""
CHANNELS = 64
STAGE_STRIDES = (2, 1, 2, 1, 2)
"""A stage that halves the resolution doubles the channels in its first cell."""
CELLS_PER_STAGE = 2
RESOLUTION, OBJECT_CLASSES = 224, 75


class TransNAS(SearchSpace):
    """The 4,096 cells of TransNAS-Bench-101's micro space, measured on seven vision tasks.

    Node `i>j` is the operation between feature maps i and j, as in NAS-Bench-201. Strings are the
    benchmark's: in `64-41414-1_23_021` the digits are the operations into maps 1, 2 and 3, 0 for
    none, 1 for a skip connection, 2 for a 1x1 and 3 for a 3x3 convolution.
    """

    name = "transnas"
    nodes = NASBench201.nodes
    operations = ("input", *CELL_OPERATIONS, "output")
    edges = NASBench201.edges
    blocking_operations = NASBench201.blocking_operations
    networks = NetworkFamily(ImageClassification(OBJECT_CLASSES, RESOLUTION), smallest=32)

    def choices(self, node: int) -> Sequence[str]:
        """Return the end's own operation at either end, else the four operations of an edge."""
        return {0: ("input",), 7: ("output",)}.get(node, CELL_OPERATIONS)

    def format(self, architecture: Architecture) -> str:
        """Return the benchmark's string of a cell."""
        names = self.operation_names(architecture)[1:-1]
        digits = iter(str(CELL_OPERATIONS.index(name)) for name in names)
        return f"{SKELETON}-" + "_".join("".join(next(digits) for _ in row) for row in SOURCES)

    def parse(self, text: str) -> Architecture:
        """Return the cell of a benchmark string; white space means nothing.

        Raises DiffusionNAGError for any other string.
        """
        written = without_whitespace(text)
        match = re.fullmatch(f"{SKELETON}-([0-3])_([0-3]{{2}})_([0-3]{{3}})", written)
        if match is None:
            raise self.malformed(text, f"it should read like '{SKELETON}-1_23_021'")
        operations = [CELL_OPERATIONS[int(digit)] for digit in "".join(match.groups())]
        return self.build(["input", *operations, "output"], text)

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters and multiply-adds in millions (224x224, 75 object classes)."""
        cost = transnas_cost(self.operation_names(architecture)[1:-1])
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}

    def build_network(self, architecture: Architecture, task: ImageClassification) -> nn.Module:
        """Return a stem, ten equal cells of 128 to 512 channels, and a classifier."""
        from torch import nn

        from diffusionnag.spaces.layers import GlobalPool, convolution_norm, relu_convolution_norm

        operations = self.operation_names(architecture)[1:-1]
        half = CHANNELS // 2
        layers: list[nn.Module] = [
            convolution_norm(IMAGE_CHANNELS, half, 3, stride=2, activation=None),
            relu_convolution_norm(half, CHANNELS, 3, 2),
        ]
        width = CHANNELS
        for inputs, outputs, stride in _cells():
            layers.append(_cell(operations, inputs, outputs, stride))
            width = outputs
        return nn.Sequential(*layers, GlobalPool(), nn.Linear(width, task.outputs))


def _cells() -> Iterator[tuple[int, int, int]]:
    """Yield the input channels, the output channels and the stride of each cell."""
    width = CHANNELS
    for stage_stride in STAGE_STRIDES:
        for stride in (stage_stride, *[1] * (CELLS_PER_STAGE - 1)):
            yield width, width * stride, stride
            width *= stride


def _cell(operations: Sequence[str], inputs: int, outputs: int, stride: int) -> nn.Module:
    from torch import nn

    from diffusionnag.spaces.layers import Cell, FactorizedReduce, Zero, relu_convolution_norm

    def edge(operation: str, source: int) -> nn.Module:
        channels, step = (inputs, stride) if source == 0 else (outputs, 1)
        if operation == "none":
            return Zero(outputs, step)
        if operation == "skip_connect":
            return nn.Identity() if step == 1 else FactorizedReduce(channels, outputs)
        return relu_convolution_norm(channels, outputs, KERNELS[operation], step)

    sources = [source for row in SOURCES for source in row]
    return Cell(map(edge, operations, sources), SOURCES)


def transnas_cost(
    operations: Sequence[str], *, resolution: int = RESOLUTION, classes: int = OBJECT_CLASSES
) -> Cost:
    """Return the cost of a cell's network with a classifier, one MAC for each weight applied.

    An operation counts even if the output does not depend on it.
    """
    count = WEIGHTS_ONLY
    size = strided(resolution, 2)
    cost = count.convolution(IMAGE_CHANNELS, CHANNELS // 2, 3, size)
    size = strided(size, 2)
    cost += count.convolution(CHANNELS // 2, CHANNELS, 3, size)
    sources = [source for row in SOURCES for source in row]
    width = CHANNELS
    for inputs, outputs, stride in _cells():
        size, width = strided(size, stride), outputs
        for operation, source in zip(operations, sources, strict=True):
            channels = inputs if source == 0 else outputs
            if operation in KERNELS:
                cost += count.convolution(channels, outputs, KERNELS[operation], size)
            elif operation == "skip_connect" and channels != outputs:
                # The two convolutions of a factorised reduction make half the channels each.
                cost += count.convolution(channels, outputs, 1, size)
    return cost + count.linear(width, classes)
