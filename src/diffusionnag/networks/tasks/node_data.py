"""The nodes of one graph as examples: the network always sees all of it, and learns from some."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.graphs import read_graph
from diffusionnag.networks.augmentation import Augmentation
from diffusionnag.networks.tasks.splitting import split_rows
from diffusionnag.networks.tasks.task_data import Predict
from diffusionnag.spaces import Graph, NodeClassification
from diffusionnag.tabular import FeatureEncoding

NOT_ASKED = -100
"""The class of nodes that a loss does not count, as torch has it."""


@dataclass(frozen=True, eq=False)
class NodeData:
    """A graph of N nodes: `features` N x F float32, `edges` 2 x edges, `labels` N int64.

    `training` and `held_out` are numbers of nodes.
    """

    task: NodeClassification
    features: np.ndarray
    edges: np.ndarray
    labels: np.ndarray
    training: np.ndarray
    held_out: np.ndarray
    preparation: dict[str, Any]
    skipped: int = 0

    @property
    def metric(self) -> str:
        """The value by which networks are compared, by name."""
        return self.task.metric

    @property
    def count(self) -> int:
        """How many nodes there are to train on."""
        return len(self.training)

    @property
    def summary(self) -> str:
        """How much there is to train on, in words."""
        return (
            f"{self.count:,} nodes of {self.task.classes} classes, in a graph of {len(self.labels):,} "
            f"nodes and {self.edges.shape[1] // 2:,} edges"
        )

    @property
    def held_out_summary(self) -> str:
        """How much is held out, in words."""
        return f"{len(self.held_out):,} held-out nodes"

    def graph(self, device: Any) -> Graph:
        """Return the whole graph."""
        return Graph(torch.from_numpy(self.features), torch.from_numpy(self.edges)).to(device)

    def batch(
        self, chosen: Tensor, augmentation: Augmentation, device: Any
    ) -> tuple[Graph, Tensor]:
        """Return the whole graph, and the classes of the chosen nodes, N int64."""
        targets = torch.full((len(self.labels),), NOT_ASKED)
        rows = torch.from_numpy(self.training)[chosen]
        targets[rows] = torch.from_numpy(self.labels)[rows]
        return self.graph(device), targets.to(device)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Return the cross-entropy of the nodes that are asked for."""
        return F.cross_entropy(
            outputs, targets, ignore_index=NOT_ASKED, label_smoothing=label_smoothing
        )

    def evaluate(self, predict: Predict, device: Any) -> dict[str, float]:
        """Return the `accuracy` in % on the held-out nodes."""
        told = predict(self.graph(device)).argmax(1).cpu().numpy()[self.held_out]
        return {"accuracy": 100.0 * float((told == self.labels[self.held_out]).mean())}

    def fingerprint(self) -> str:
        """Return a number in hexadecimal that tells these data from others."""
        total = hashlib.sha256()
        for part in (self.features, self.edges, self.labels, self.training, self.held_out):
            total.update(np.ascontiguousarray(part).data)
        return total.hexdigest()[:16]


def read_node_data(
    data: str | Path,
    task: NodeClassification,
    *,
    test: str | Path | None = None,
    target: str | None = None,
    subset: int | None = None,
    seed: int = 0,
) -> NodeData:
    """Read a graph, as `read_graph` does; a tenth of its nodes are held out, and seen unlabelled."""
    if test is not None:
        raise DiffusionNAGError("nodes of the same graph are held out; leave the test data out")
    nodes = read_graph(data, target)
    if len(nodes.classes) < 2:
        raise DiffusionNAGError(f"{data} holds one class only; there is nothing to tell apart")
    training, held_out = split_rows(len(nodes.known), None, subset, seed)
    encoding = FeatureEncoding.fit(nodes.features, np.arange(len(nodes.labels)))
    return NodeData(
        replace(task, features=encoding.width, classes=len(nodes.classes)),
        encoding.apply(nodes.features),
        nodes.edges,
        nodes.labels,
        nodes.known[training],
        nodes.known[held_out],
        asdict(encoding) | {"classes": nodes.classes},
    )
