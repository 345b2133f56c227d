"""A graph as two tables: nodes with their features and classes, and edges between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.graphs.block_model import BLOCK_MODEL, draw_block_model
from diffusionnag.tabular import (
    TABLE_SUFFIXES,
    TARGETS,
    choose_column,
    class_numbers,
    read_columns,
)

ID = "id"
"""The column by which edges name their nodes; without it they go by the rows' numbers, from 0."""
ENDS = ("source", "target")
UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class LabelledNodes:
    """N nodes: features by column, and the number of each one's class, N int64, or -1 if unknown.

    `edges` are `2 x edges` int64, each in both ways, none from a node to itself.
    """

    features: dict[str, np.ndarray]
    classes: tuple[str, ...]
    labels: np.ndarray
    edges: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """The numbers of the nodes whose class is known."""
        return np.flatnonzero(self.labels != UNKNOWN)


def read_graph(source: str | Path, target: str | None = None) -> LabelledNodes:
    """Return the graph in a folder's `nodes` and `edges`, .csv or .parquet each, or `sbm:NODES`.

    `target` names the nodes' column of classes, as in `read_rows`; where it is empty, the class is
    unknown. Edges have the columns `source` and `target`, and count in both ways. Raises
    DiffusionNAGError for what is no such folder, and edges between unknown nodes.
    """
    if str(source).startswith(BLOCK_MODEL):
        values, labels, edges = draw_block_model(str(source))
        features = {f"feature{number}": column for number, column in enumerate(values.T)}
        classes, labels = class_numbers(labels)
        return LabelledNodes(features, classes, labels, _both_ways(edges))
    nodes_file, edges_file = (_table_in(Path(source), name) for name in ("nodes", "edges"))
    features = read_columns(nodes_file)
    names = features.pop(ID, None)
    if len(features) < 2:
        raise DiffusionNAGError(f"{nodes_file} needs a column of classes and one of features")
    values = features.pop(choose_column(list(features), target, TARGETS) or list(features)[-1])
    if names is None:
        names = np.arange(len(values), dtype=float)
    known = np.array([value is not None and value == value for value in values], dtype=bool)
    labels = np.full(len(values), UNKNOWN)
    classes, labels[known] = class_numbers(values[known])
    return LabelledNodes(features, classes, labels, _edges(edges_file, names))


def _edges(path: Path, names: np.ndarray) -> np.ndarray:
    """Return the edges of a file between nodes of these names."""
    numbers = {name: number for number, name in enumerate(names.tolist())}
    if len(numbers) < len(names):
        raise DiffusionNAGError(f"two nodes beside {path} have the same {ID}")
    ends = read_columns(path)
    missing = [end for end in ENDS if end not in ends]
    if missing:
        raise DiffusionNAGError(f"{path} has no column {missing[0]!r}")
    try:
        edges = [[numbers[name] for name in ends[end].tolist()] for end in ENDS]
    except KeyError as error:
        raise DiffusionNAGError(f"{path} names the unknown node {error.args[0]}") from error
    return _both_ways(np.array(edges, dtype=np.int64))


def _table_in(folder: Path, name: str) -> Path:
    paths = [folder / f"{name}{suffix}" for suffix in TABLE_SUFFIXES]
    for path in paths:
        if path.is_file():
            return path
    raise DiffusionNAGError(
        f"{folder} is no folder of a graph: it has no {' or '.join(each.name for each in paths)}"
    )


def _both_ways(edges: np.ndarray) -> np.ndarray:
    """Return edges in both ways, each once and sorted, none from a node to itself."""
    edges = edges[:, edges[0] != edges[1]]
    return np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)
