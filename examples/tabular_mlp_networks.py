"""The modules of tabular_mlp.yaml: perceptrons whose layers see what else skip connections bring."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from diffusionnag.spaces import TabularClassification, TabularRegression

FEEDING = {
    "layer1": ("input",),
    "layer2": ("layer1", "input"),
    "layer3": ("layer2", "layer1"),
    "output": ("layer3", "layer2"),
}
"""What may feed each node: the node before it always does, the other one by a skip connection."""


class Quantiles(nn.Module):
    """Standardised features as shares: where they would lie if they were normally distributed."""

    def forward(self, x: Tensor) -> Tensor:
        """Return numbers from -1 to 1, of the shape of x."""
        return torch.erf(x / 2**0.5)


class Perceptron(nn.Module):
    """Three layers, each fed by the one before it and by those from which an edge leads to it."""

    def __init__(self, operations: Mapping[str, str], features: int, outputs: int) -> None:
        super().__init__()
        self.input = Quantiles() if operations["input"] == "quantiles" else nn.Identity()
        self.layers = nn.ModuleDict()
        self.feeding: dict[str, list[str]] = {}
        widths = {"input": features}
        for node, (before, *others) in FEEDING.items():
            skips = [other for other in others if operations[f"{other}>{node}"] == "edge"]
            self.feeding[node] = fed_by = [before, *skips]
            inputs = sum(widths[source] for source in fed_by)
            if node == "output":
                self.layers[node] = nn.Linear(inputs, outputs)
            else:
                self.layers[node], widths[node] = _layer(operations[node], inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of rows, `batch x outputs`."""
        computed = {"input": self.input(x)}
        for node, layer in self.layers.items():
            fed = [computed[source] for source in self.feeding[node]]
            computed[node] = layer(torch.cat(fed, dim=1))
        return computed["output"]


def _layer(operation: str, inputs: int) -> tuple[nn.Module, int]:
    kind = operation.rstrip("0123456789")
    width = int(operation.removeprefix(kind))
    if kind == "gated":
        return nn.Sequential(nn.Linear(inputs, 2 * width), nn.GLU()), width
    activation = nn.ReLU() if kind == "relu" else nn.GELU()
    return nn.Sequential(nn.Linear(inputs, width), activation), width


def build(
    operations: Mapping[str, str], task: TabularClassification | TabularRegression
) -> nn.Module:
    """Return the perceptron of an architecture; `task` has the numbers of features and outputs."""
    return Perceptron(operations, task.features, task.outputs)
