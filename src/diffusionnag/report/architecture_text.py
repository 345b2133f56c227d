"""Architectures as text for a terminal."""

from __future__ import annotations

import re
import textwrap

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report._layout import (
    depths,
    group_and_part,
    headings,
    is_chain,
    rows_by_group,
    without_wiring_nodes,
)
from diffusionnag.spaces.architecture import UNDECIDED, Architecture, Edge
from diffusionnag.spaces.search_space import SearchSpace

UNDECIDED_MARK = "?"
SEPARATORS = ("+", "|+", "|+,; ")
"""What ends the parts of an architecture's string, the largest parts first."""


def draw_text(space: SearchSpace, architecture: Architecture) -> str:
    """Return a drawing of an architecture for a terminal.

    A chain has one line for each group of nodes `group.part`, or for each node. Any other graph
    has one line for each node: the number of its layer, the operation, and the nodes that it feeds;
    nodes that only decide on the wiring are left out.
    """
    written = written_operations(space, architecture)
    nodes, edges = without_wiring_nodes(architecture, space.wiring.nodes)
    names = [space.nodes[node] for node in nodes]
    operations = [written[node] for node in nodes]
    if not (space.wiring.is_fixed and is_chain(len(names), edges)):
        return _text_of_graph(names, operations, edges)
    rows = rows_by_group(names)
    columns = headings(names, rows)
    lines = [["", *columns]] if columns else []
    for row in rows:
        if len(row.nodes) == 1 and not row.label:
            lines.append([names[row.nodes[0]], operations[row.nodes[0]]])
        elif columns:
            lines.append([row.label, *(operations[node] for node in row.nodes)])
        else:
            parts = (f"{group_and_part(names[i])[1]} {operations[i]}" for i in row.nodes)
            lines.append([row.label, " -> ".join(parts)])
    return _table(lines)


def written_operations(space: SearchSpace, architecture: Architecture) -> list[str]:
    """Return each node's operation by name; raise DiffusionNAGError if their number is wrong."""
    if len(architecture.operations) != len(space.nodes):
        raise DiffusionNAGError(
            f"an architecture with {len(architecture.operations)} nodes cannot be drawn: "
            f"{space.name} has {len(space.nodes)}"
        )
    named = zip(architecture.operations, space.operation_names(architecture), strict=True)
    return [UNDECIDED_MARK if index == UNDECIDED else name for index, name in named]


def wrap_architecture(string: str, width: int) -> list[str]:
    """Return the lines of an architecture's string, broken where its largest parts end."""
    pieces = [string]
    for separators in SEPARATORS:
        if max(map(len, pieces)) <= width:
            break
        pieces = re.split(rf"(?<=[{separators}])(?=[^{separators}])", string)
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [part for line in lines for part in textwrap.wrap(line, width)]


def _text_of_graph(names: list[str], operations: list[str], edges: list[Edge]) -> str:
    layers = depths(len(names), edges)
    lines, before = [["layer", "node", "operation", "feeds"]], -1
    for node in sorted(range(len(names)), key=lambda node: (layers[node], node)):
        fed = [names[target] for source, target in edges if source == node]
        layer = str(layers[node]) if layers[node] != before else ""
        row = [layer, names[node], operations[node], "-> " + ", ".join(fed) if fed else ""]
        lines.append(row)
        before = layers[node]
    return _table(lines)


def _table(lines: list[list[str]]) -> str:
    """Return lines of cells as text, each column as wide as its widest cell."""
    columns = max(len(line) for line in lines)
    widths = [max(len(line[i]) for line in lines if i < len(line)) for i in range(columns)]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)
