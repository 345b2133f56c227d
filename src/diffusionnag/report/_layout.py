"""Where boxes and arrows go: geometry alone, in inches, y growing downwards."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from diffusionnag.spaces.architecture import Architecture, Edge

Point = tuple[float, float]

ROW_GAP = 0.42
COLUMN_GAP = 0.4
CORNER = 0.12


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from one node to another along cubic Bezier curves.

    `points` are its start and then, for each curve, two control points and an end.
    """

    source: int
    target: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The centres of the boxes and the arrows between them, within (0, 0) to (width, height)."""

    width: float
    height: float
    centres: tuple[Point, ...]
    arrows: tuple[Arrow, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Nodes that stand beside one another, under the name that they share, if any."""

    label: str
    nodes: tuple[int, ...]


def without_wiring_nodes(
    architecture: Architecture, wiring_nodes: Sequence[int]
) -> tuple[list[int], list[Edge]]:
    """Return the nodes that are drawn, and the edges in the numbers that these then have."""
    nodes = [n for n in range(len(architecture.operations)) if n not in wiring_nodes]
    number = {node: place for place, node in enumerate(nodes)}
    return nodes, [(number[source], number[target]) for source, target in architecture.edges]


def is_chain(count: int, edges: Sequence[Edge]) -> bool:
    """Tell whether each node feeds the next one and nothing else."""
    return tuple(edges) == tuple(itertools.pairwise(range(count)))


def depths(count: int, edges: Sequence[Edge]) -> list[int]:
    """Return the length of the longest path that leads to each node."""
    depth = [0] * count
    for source, target in sorted(edges):
        depth[target] = max(depth[target], depth[source] + 1)
    return depth


def rows_by_group(names: Sequence[str]) -> list[Row]:
    """Return a row for each group of successive names `group.part`, and for each other name."""
    grouped = itertools.groupby(enumerate(names), key=lambda named: _group_key(*named))
    rows = []
    for _, members in grouped:
        nodes = tuple(node for node, _ in members)
        rows.append(Row(group_and_part(names[nodes[0]])[0], nodes))
    return rows


def wrapped_rows(names: Sequence[str], longest: int) -> list[Row]:
    """Return the rows of a chain, none with more than `longest` nodes.

    They are the groups where names have the form `group.part`, else the rows are filled in turn.
    """
    rows = rows_by_group(names)
    if all(len(row.nodes) == 1 for row in rows):
        rows = [Row("", tuple(range(len(names))))]
    return [
        Row(row.label if start == 0 else "", tuple(part))
        for row in rows
        for start, part in enumerate(_evenly(row.nodes, longest))
    ]


def headings(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return what the names in each column share, [] unless all rows are groups with the same."""
    if not all(row.label for row in rows):
        return []
    columns = itertools.zip_longest(*([_part(names[i]) for i in row.nodes] for row in rows))
    shared = [{part for part in column if part is not None} for column in columns]
    return [part for (part,) in shared] if all(len(parts) == 1 for parts in shared) else []


def group_and_part(name: str) -> tuple[str, str]:
    """Return a name's two sides of the first dot; without a dot there is no group."""
    group, dot, part = name.partition(".")
    return (group, part) if dot else ("", name)


def chain_layout(rows: Sequence[Row], box: Point, hidden: frozenset[int] = frozenset()) -> Layout:
    """Place a chain in rows of boxes of the size `box`.

    An arrow to the next row starts at the last node of its row that is not `hidden`.
    """
    width, height = box
    column, line = width + COLUMN_GAP, height + ROW_GAP
    centres = {
        node: (width / 2 + place * column, height / 2 + number * line)
        for number, row in enumerate(rows)
        for place, node in enumerate(row.nodes)
    }
    arrows = []
    for row, after in itertools.zip_longest(rows, rows[1:]):
        for source, target in itertools.pairwise(row.nodes):
            (left, y), (right, _) = centres[source], centres[target]
            straight = _line((left + width / 2, y), (right - width / 2, y))
            arrows.append(Arrow(source, target, straight))
        if after:
            shown = [node for node in row.nodes if node not in hidden] or row.nodes
            (x, y), (end, below) = centres[shown[-1]], centres[after.nodes[0]]
            points = _detour((x, y + height / 2), (end, below - height / 2))
            arrows.append(Arrow(shown[-1], after.nodes[0], points))
    longest = max(len(row.nodes) for row in rows)
    size = longest * column - COLUMN_GAP, len(rows) * line - ROW_GAP
    return Layout(*size, tuple(centres[node] for node in sorted(centres)), tuple(arrows))


def spread(wanted: list[float], weights: list[float], gaps: list[float]) -> list[float]:
    """Return the places nearest to the wanted ones, in weighted squares, with gaps between them.

    Without the gaps this is isotonic regression, solved by pooling adjacent violators.
    """
    offset, offsets = 0.0, [0.0]
    for gap in gaps:
        offset += gap
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []
    for place, weight, shift in zip(wanted, weights, offsets, strict=False):
        mean, total, size = place - shift, weight, 1
        while pools and pools[-1][0] >= mean:
            before, heft, members = pools.pop()
            mean = (mean * total + before * heft) / (total + heft)
            total, size = total + heft, size + members
        pools.append((mean, total, size))
    level = [mean for mean, _, size in pools for _ in range(size)]
    return [at + shift for at, shift in zip(level, offsets, strict=False)]


def _group_key(node: int, name: str) -> tuple[str, int]:
    group, _ = group_and_part(name)
    return group, -1 if group else node


def _part(name: str) -> str:
    return group_and_part(name)[1]


def _evenly(nodes: Sequence[int], longest: int) -> list[Sequence[int]]:
    """Split nodes into as few parts as possible, of about the same length."""
    parts = -(-len(nodes) // longest)
    length = -(-len(nodes) // parts)
    return [nodes[start : start + length] for start in range(0, len(nodes), length)]


def _line(start: Point, end: Point) -> tuple[Point, ...]:
    """Return a straight line as a Bezier curve."""
    (x, y), (u, v) = start, end
    return start, (x + (u - x) / 3, y + (v - y) / 3), (u - (u - x) / 3, v - (v - y) / 3), end


def _detour(start: Point, end: Point) -> tuple[Point, ...]:
    """Return a way down, across in the middle, and down again, with round corners."""
    (x, y), (u, v) = start, end
    if abs(u - x) < 2 * CORNER:
        return _line(start, end)
    middle, turn = (y + v) / 2, CORNER if u > x else -CORNER
    first, last = (x, middle - CORNER), (u, middle + CORNER)
    left, right = (x + turn, middle), (u - turn, middle)
    return (
        *_line(start, first),
        *((x, middle), (x, middle), left),
        *_line(left, right)[1:],
        *((u, middle), (u, middle), last),
        *_line(last, end)[1:],
    )
