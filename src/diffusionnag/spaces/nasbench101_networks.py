"""The networks of NAS-Bench-101: nine cells in three stacks, of 128 to 512 channels.

Source: Ying et al., "NAS-Bench-101", ICML 2019, section 2, and its program's division of channels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from diffusionnag.spaces.architecture import Edge
from diffusionnag.spaces.layers import GlobalPool, convolution_norm
from diffusionnag.spaces.network_tasks import IMAGE_CHANNELS, ImageClassification

STEM = 128
STACKS, CELLS = 3, 3
INPUT = 0


class Cell(nn.Module):
    """A cell: each vertex adds up what feeds it, the output joins it; the input is always projected.

    `operations` has the inner vertices by number, in the order of the computation, and `output` is
    the number of the last vertex.
    """

    def __init__(
        self,
        operations: Mapping[int, str],
        edges: Collection[Edge],
        output: int,
        inputs: int,
        channels: int,
    ) -> None:
        super().__init__()
        self.feeding = {
            vertex: [source for source, target in sorted(edges) if target == vertex]
            for vertex in (*operations, output)
        }
        self.widths = _divided(operations, edges, output, channels) | {output: channels}
        self.projections, self.vertices = nn.ModuleDict(), nn.ModuleDict()
        for vertex, sources in self.feeding.items():
            width = self.widths[vertex]
            if INPUT in sources:
                self.projections[str(vertex)] = convolution_norm(inputs, width, 1)
            if vertex in operations:
                self.vertices[str(vertex)] = _operation(operations[vertex], width)
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map of the output, `batch x channels x H x W`."""
        computed: dict[int, Tensor] = {}
        for name, operation in self.vertices.items():
            vertex = int(name)
            # Where the channels of the output do not divide evenly, a source may have one more.
            width = self.widths[vertex]
            fed = [
                computed[source][:, :width] for source in self.feeding[vertex] if source != INPUT
            ]
            if name in self.projections:
                fed.append(self.projections[name](x))
            computed[vertex] = operation(torch.stack(fed).sum(0) if len(fed) > 1 else fed[0])
        joined = [computed[source] for source in self.feeding[self.output] if source != INPUT]
        ends = [torch.cat(joined, dim=1)] if joined else []
        if str(self.output) in self.projections:
            ends.append(self.projections[str(self.output)](x))
        return ends[0] + ends[1] if len(ends) > 1 else ends[0]


def nasbench101_network(
    operations: Mapping[int, str], edges: Collection[Edge], output: int, task: ImageClassification
) -> nn.Module:
    """Return the network of a cell, whose arguments are those of `Cell`."""
    channels = STEM
    layers: list[nn.Module] = [convolution_norm(IMAGE_CHANNELS, channels, 3)]
    for stack in range(STACKS):
        inputs = channels
        if stack:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            channels *= 2
        for _ in range(CELLS):
            layers.append(Cell(operations, edges, output, inputs, channels))
            inputs = channels
    return nn.Sequential(*layers, GlobalPool(), nn.Linear(channels, task.outputs))


def _divided(
    operations: Mapping[int, str], edges: Collection[Edge], output: int, channels: int
) -> dict[int, int]:
    """Return the channels of each inner vertex.

    Those that feed the output share its channels, the first ones having one more where that leaves a
    rest; any other has as many as the widest that it feeds.
    """
    joined = [vertex for vertex in operations if (vertex, output) in edges]
    widths = {
        vertex: channels // len(joined) + (place < channels % len(joined))
        for place, vertex in enumerate(joined)
    }
    for vertex in reversed([*operations]):
        if vertex not in widths:
            fed = [target for source, target in edges if source == vertex]
            widths[vertex] = max(widths[target] for target in fed)
    return widths


def _operation(name: str, channels: int) -> nn.Module:
    if name.startswith("maxpool"):
        return nn.MaxPool2d(3, stride=1, padding=1)
    return convolution_norm(channels, channels, int(name.removeprefix("conv")[0]))
