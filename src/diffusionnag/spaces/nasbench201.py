"""NAS-Bench-201: a cell of six edges, each carrying one of five operations (Dong & Yang 2020)."""

from __future__ import annotations

import functools
import itertools
import random
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from diffusionnag.spaces._pasted import without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import Cost, Counter, strided
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import IMAGE_CHANNELS, ImageClassification
from diffusionnag.spaces.search_space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

EDGE_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
SOURCES = ((0,), (0, 1), (0, 1, 2))
"""The feature maps that each of the maps 1, 2, 3 receives: the order of the benchmark's string."""

NOTHING = "#"
"""What an edge passes on in the text of an isomorphism class, if it passes nothing on."""

STAGE_STRIDES = (1, 2, 2)
CELLS_PER_STAGE = 5
CHANNELS = 16
"""Channels of the first stage; each later stage doubles them."""
CONVENTION = Counter(bias=True)


class NASBench201(SearchSpace):
    """The 15,625 cells of NAS-Bench-201 with the edges' operations as nodes.

    Node `i>j` is the operation between feature maps i and j; it feeds each node `j>k`.
    Strings are the benchmark's: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`; a number from 0 to 15624 is
    the cell of that index in the benchmark.
    """

    name = "nasbench201"
    nodes = ("input", "0>1", "0>2", "1>2", "0>3", "1>3", "2>3", "output")
    operations = ("input", *EDGE_OPERATIONS, "output")
    edges = (
        *((0, 1), (0, 2), (0, 4)),
        *((1, 3), (1, 5), (2, 6), (3, 6)),
        *((4, 7), (5, 7), (6, 7)),
    )
    blocking_operations = ("none",)
    networks = NetworkFamily(
        ImageClassification(10, 32),
        smallest=4,
        widths=(1.0, 0.25, 0.5),
        cells=True,
        convention=CONVENTION,
    )

    def choices(self, node: int) -> Sequence[str]:
        """Return the end's own operation at either end, else the five operations of an edge."""
        return {0: ("input",), 7: ("output",)}.get(node, EDGE_OPERATIONS)

    def format(self, architecture: Architecture) -> str:
        """Return the benchmark's string of a cell."""
        operations = iter(self.operation_names(architecture)[1:-1])
        parts = ("".join(f"|{next(operations)}~{source}" for source in row) for row in SOURCES)
        return "+".join(f"{part}|" for part in parts)

    def parse(self, text: str) -> Architecture:
        """Return the cell of a benchmark string, or of the number that the benchmark gives it.

        White space means nothing. Raises DiffusionNAGError for any other string.
        """
        written = without_whitespace(text)
        if re.fullmatch("[0-9]+", written):
            return self._numbered(written)
        parts = written.split("+")
        if len(parts) != len(SOURCES):
            raise self.malformed(text, f"3 parts joined by '+' are expected, not {len(parts)}")
        operations: list[str] = []
        for part, row in zip(parts, SOURCES, strict=True):
            pattern = "".join(rf"\|([^|~]+)~{source}" for source in row) + r"\|"
            match = re.fullmatch(pattern, part)
            if match is None:
                expected = "".join(f"|op~{source}" for source in row) + "|"
                raise self.malformed(text, f"{part!r} should read {expected!r}")
            operations.extend(match.groups())
        return self.build(["input", *operations, "output"], text)

    def _numbered(self, text: str) -> Architecture:
        order = _benchmark_order()
        if len(text) > 5 or int(text) >= len(order):
            raise self.malformed(
                text, f"the benchmark numbers its cells from 0 to {len(order) - 1}"
            )
        operations = [EDGE_OPERATIONS[number] for number in order[int(text)]]
        return self.build(["input", *operations, "output"], text)

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters and multiply-adds in millions (16 channels, 5 cells a stage, 32x32)."""
        cost = nasbench201_cost(self.operation_names(architecture)[1:-1])
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}

    def build_network(self, architecture: Architecture, task: ImageClassification) -> nn.Module:
        """Return three stages of five equal cells, of 16, 32 and 64 channels (figure 1 there)."""
        operations = self.operation_names(architecture)[1:-1]
        return nasbench201_network(lambda channels: nasbench201_cell(operations, channels), task)

    def shared_names(self, architecture: Architecture, names: Sequence[str]) -> list[str]:
        """Return names that say which operation an edge's tensors belong to."""
        operations = self.operation_names(architecture)[1:-1]
        return [
            re.sub(r"\.edges\.(\d)\.", lambda edge: f"{edge[0]}{operations[int(edge[1])]}.", name)
            for name in names
        ]


@functools.cache
def _benchmark_order() -> list[tuple[int, ...]]:
    """Return the operations of each cell as indices, in the order of the benchmark's archive.

    Its authors shuffled all cells by Python's generator with the seed 88.
    """
    cells = list(itertools.product(range(len(EDGE_OPERATIONS)), repeat=sum(map(len, SOURCES))))
    random.Random(88).shuffle(cells)
    return cells


def nasbench201_network(cell: Callable[[int], nn.Module], task: ImageClassification) -> nn.Module:
    """Return three stages of cells, each made from its number of channels."""
    from torch import nn

    from diffusionnag.spaces.layers import (
        GlobalPool,
        Residual,
        convolution_norm,
        relu_convolution_norm,
    )

    width = round(CHANNELS * task.width)
    layers: list[nn.Module] = [convolution_norm(IMAGE_CHANNELS, width, 3, activation=None)]
    for stride in STAGE_STRIDES:
        if stride > 1:
            outputs = 2 * width
            block = nn.Sequential(
                relu_convolution_norm(width, outputs, 3, stride),
                relu_convolution_norm(outputs, outputs, 3),
            )
            shortcut = nn.Sequential(
                nn.AvgPool2d(2, stride=2, ceil_mode=True),
                nn.Conv2d(width, outputs, 1, bias=False),
            )
            layers.append(Residual(block, shortcut))
            width = outputs
        layers += [cell(width) for _ in range(task.cells or CELLS_PER_STAGE)]
    head = (nn.BatchNorm2d(width), nn.ReLU(), GlobalPool(), nn.Linear(width, task.outputs))
    return nn.Sequential(*layers, *head)


def nasbench201_cell(operations: Sequence[str], channels: int) -> nn.Module:
    """Return the module of a cell, which keeps `batch x channels x H x W`.

    `operations` are those on the edges 0>1, 0>2, 1>2, 0>3, 1>3, 2>3.
    """
    from diffusionnag.spaces.layers import Cell

    return Cell((edge_module(operation, channels) for operation in operations), SOURCES)


def edge_module(operation: str, channels: int) -> nn.Module:
    """Return the module of an edge's operation, which keeps `batch x channels x H x W`."""
    from torch import nn

    from diffusionnag.spaces.layers import Zero, relu_convolution_norm

    if operation == "none":
        return Zero()
    if operation == "skip_connect":
        return nn.Identity()
    if operation == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return relu_convolution_norm(channels, channels, KERNELS[operation])


def isomorphism_class(operations: Sequence[str]) -> str:
    """Return the text that is equal for all cells that the benchmark holds to be isomorphic.

    `operations` are those on the edges 0>1, 0>2, 1>2, 0>3, 1>3, 2>3. The 15,625 cells fall into the
    6,466 classes of Dong & Yang (2020): a skip connection stands for what it passes on, nothing
    comes of `none`, and the order of what a feature map sums does not count.
    """
    written = iter(operations)
    maps = ["0"]
    for sources in SOURCES:
        summed = (_passed_on(next(written), maps[source]) for source in sources)
        maps.append("+".join(sorted(summed)))
    return maps[-1]


def _passed_on(operation: str, feature_map: str) -> str:
    if operation == "none" or feature_map == NOTHING:
        return NOTHING
    return feature_map if operation == "skip_connect" else f"({feature_map})@{operation}"


def nasbench201_cost(operations: Sequence[str], *, resolution: int = 32, classes: int = 10) -> Cost:
    """Return the cost of a cell's network, equal to the benchmark's own `params` and `flop`.

    The MACs are those of convolutions and linear layers and one for each bias of the classifier;
    batch norm and pooling are free. In millions both counts are the official ones to the last
    digit for the three entries checked (0, 11 and 284), each on all data sets (resolution 32 and
    10 or 100 classes, resolution 16 and 120 classes). As there, an operation counts even if the
    output does not depend on it.
    """
    kernels = sorted(KERNELS[operation] for operation in operations if operation in KERNELS)
    return _cost(tuple(kernels), resolution, classes)


@functools.cache
def _cost(kernels: tuple[int, ...], resolution: int, classes: int) -> Cost:
    """Return the cost of a network whose cells have convolutions of these kernels."""
    width, size = CHANNELS, resolution
    cost = CONVENTION.convolution(IMAGE_CHANNELS, width, 3, size)
    for stride in STAGE_STRIDES:
        size = strided(size, stride)
        if stride > 1:
            cost += CONVENTION.convolution(width, 2 * width, 3, size)
            cost += CONVENTION.convolution(2 * width, 2 * width, 3, size)
            cost += CONVENTION.convolution(width, 2 * width, 1, size, normalised=False)
            width *= 2
        for kernel in kernels * CELLS_PER_STAGE:
            cost += CONVENTION.convolution(width, width, kernel, size)
    return cost + CONVENTION.batch_norm(width, size) + CONVENTION.linear(width, classes)
