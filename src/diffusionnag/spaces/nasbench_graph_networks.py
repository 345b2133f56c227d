"""The networks of NAS-Bench-Graph: four layers of one width between dropout and a linear layer.

Source: Qin et al., "NAS-Bench-Graph", NeurIPS 2022 (datasets and benchmarks), section 3, and the
numbers of parameters in its data, which settle what the text leaves open.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusionnag.spaces.graph_inputs import Graph
from diffusionnag.spaces.network_tasks import NodeClassification

DROPOUT = 0.5
HEADS = 4
"""Of graph attention; each has a fourth of the width."""
FILTERS = 2
"""Chebyshev polynomials of a layer."""


class Skip(nn.Module):
    """A layer that passes on what feeds it."""

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Return x."""
        return x


class FullyConnected(nn.Linear):
    """A layer that looks at each node by itself."""

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:  # type: ignore[override]
        """Return the features of nodes, `nodes x width`."""
        return super().forward(x)


class NASBenchGraphNetwork(nn.Module):
    """Layers fed by the input or an earlier layer; those that feed none are joined at the end.

    `sources` has what feeds each layer: 0 is the input, 1 the first layer.
    """

    def __init__(
        self, operations: Sequence[str], sources: Sequence[int], task: NodeClassification
    ) -> None:
        super().__init__()
        widths, rectified = [task.features], [False]
        self.layers, self.norms = nn.ModuleList(), nn.ModuleList()
        for operation, source in zip(operations, sources, strict=True):
            passes_on = operation == "skip"
            self.layers.append(_layer(operation, widths[source], task.width))
            # The benchmark gives each layer one, even to those that the raw input feeds, which are
            # not normalised: its numbers of parameters count them.
            self.norms.append(nn.BatchNorm1d(task.width))
            widths.append(widths[source] if passes_on else task.width)
            rectified.append(rectified[source] if passes_on else True)
        self.sources = list(sources)
        self.normalised = [rectified[source] for source in sources]
        self.ends = [layer for layer in range(len(sources) + 1) if layer not in sources]
        joined = sum(widths[layer] for layer in self.ends)
        if task.hidden_head:
            self.head = nn.Sequential(
                nn.Linear(joined, task.width), nn.Linear(task.width, task.outputs)
            )
        else:
            self.head = nn.Sequential(nn.Linear(joined, task.outputs))

    def forward(self, graph: Graph) -> Tensor:
        """Return the logits of a graph's nodes, `nodes x classes`."""
        features = F.dropout(graph.features, DROPOUT, self.training)
        maps = [features]
        layers = zip(self.layers, self.norms, self.sources, self.normalised, strict=True)
        for layer, norm, source, normalised in layers:
            x = maps[source]
            if normalised:
                x = F.dropout(F.relu(norm(x)), DROPOUT, self.training)
            maps.append(layer(x, graph.edges))
        return self.head(F.relu(torch.cat([maps[layer] for layer in self.ends], dim=1)))


def _layer(operation: str, inputs: int, width: int) -> nn.Module:
    from torch_geometric import nn as graph_layers

    if operation == "skip":
        return Skip()
    if operation == "fc":
        return FullyConnected(inputs, width)
    if operation == "gat":
        return graph_layers.GATConv(inputs, width // HEADS, HEADS)
    if operation == "gin":
        return graph_layers.GINConv(nn.Linear(inputs, width))
    if operation == "cheb":
        return graph_layers.ChebConv(inputs, width, K=FILTERS)
    kinds = {"gcn": "GCNConv", "sage": "SAGEConv", "arma": "ARMAConv", "graph": "GraphConv"}
    return getattr(graph_layers, kinds[operation])(inputs, width)
