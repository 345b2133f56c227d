"""Placing a directed acyclic graph in layers, its arrows leading downwards between the boxes.

After Sugiyama, Tagawa & Toda, "Methods for Visual Understanding of Hierarchical System
Structures", 1981: nodes stand in layers by their longest path, an arrow over several layers has a
bend in each layer that it passes, and the order within the layers keeps crossings few.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass

from diffusionnag.report._layout import Arrow, Layout, Point, depths, spread
from diffusionnag.spaces.architecture import Edge

LAYER_GAP = 0.5
BOX_GAP = 0.35
BEND_GAP = 0.26
SLACK = 0.08
"""How much closer things may come where that makes a line straight."""
PORT_GAP = 0.2
PORTS = 0.8
"""Share of a box's width on which its arrows end."""
SWEEPS = 24


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph all of whose links lead from one layer to the next.

    Vertices below `nodes` are nodes, the others are bends; `routes` has all vertices of each edge.
    """

    nodes: int
    layers: list[list[int]]
    routes: list[list[int]]
    above: dict[int, list[int]]
    below: dict[int, list[int]]


def layered_layout(count: int, edges: Sequence[Edge], box: Point) -> Layout:
    """Place `count` nodes with boxes of the size `box`; no arrow crosses a box."""
    graph = _layered_graph(count, edges)
    _reduce_crossings(graph)
    x = _coordinates(graph, box[0])
    line = box[1] + LAYER_GAP
    y = {v: box[1] / 2 + depth * line for depth, layer in enumerate(graph.layers) for v in layer}
    leaving, entering = (_ports(graph, x, box[0], end) for end in (0, -1))
    arrows = []
    for number, route in enumerate(graph.routes):
        points: list[Point] = []
        for place, vertex in enumerate(route):
            if place > 0:
                end = entering[number] if vertex == route[-1] else x[vertex]
                points += _bow(points[-1], (end, y[vertex] - box[1] / 2))
            if place == 0:
                points.append((leaving[number], y[vertex] + box[1] / 2))
            elif vertex != route[-1]:
                points += _bow(points[-1], (x[vertex], y[vertex] + box[1] / 2))
        arrows.append(Arrow(route[0], route[-1], tuple(points)))
    width = max(x[v] + (box[0] / 2 if v < count else 0) for v in x)
    centres = tuple((x[node], y[node]) for node in range(count))
    return Layout(width, len(graph.layers) * line - LAYER_GAP, centres, tuple(arrows))


def _layered_graph(count: int, edges: Sequence[Edge]) -> _Graph:
    depth = depths(count, edges)
    layers: list[list[int]] = [[] for _ in range(max(depth) + 1)]
    for node in range(count):
        layers[depth[node]].append(node)
    routes, bends = [], count
    for source, target in sorted(edges):
        passed = range(depth[source] + 1, depth[target])
        for vertex, layer in enumerate(passed, start=bends):
            layers[layer].append(vertex)
        routes.append([source, *range(bends, bends + len(passed)), target])
        bends += len(passed)
    above: dict[int, list[int]] = {vertex: [] for vertex in range(bends)}
    below: dict[int, list[int]] = {vertex: [] for vertex in range(bends)}
    for route in routes:
        for upper, lower in itertools.pairwise(route):
            above[lower].append(upper)
            below[upper].append(lower)
    return _Graph(count, layers, routes, above, below)


def _reduce_crossings(graph: _Graph) -> None:
    """Order each layer by the mean place of its neighbours, and keep the best order met."""
    best, fewest = [list(layer) for layer in graph.layers], _crossings(graph)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = graph.above if downwards else graph.below
        place = {v: place for layer in graph.layers for place, v in enumerate(layer)}
        for layer in graph.layers if downwards else reversed(graph.layers):
            layer.sort(key=lambda v: _mean([place[n] for n in neighbours[v]], place[v]))
            place.update({v: number for number, v in enumerate(layer)})
        if (crossings := _crossings(graph)) < fewest:
            best, fewest = [list(layer) for layer in graph.layers], crossings
    graph.layers[:] = best


def _crossings(graph: _Graph) -> int:
    total = 0
    place = {v: place for layer in graph.layers for place, v in enumerate(layer)}
    for layer in graph.layers:
        met: list[int] = []
        for vertex in layer:
            places = [place[n] for n in graph.below[vertex]]
            total += sum(len(met) - bisect_right(met, end) for end in places)
            for end in places:
                insort(met, end)
    return total


def _coordinates(graph: _Graph, width: float) -> dict[int, float]:
    """Return each vertex's x, such that links are as straight as the boxes permit."""

    def gap(left: int, right: int) -> float:
        boxes = (left < graph.nodes) + (right < graph.nodes)
        return boxes * width / 2 + (BEND_GAP, BEND_GAP, BOX_GAP)[boxes]

    gaps = [
        [gap(left, right) for left, right in itertools.pairwise(layer)] for layer in graph.layers
    ]
    x: dict[int, float] = {}
    for layer, between in zip(graph.layers, gaps, strict=True):
        middle = [0.0] * len(layer)
        x.update(zip(layer, spread(middle, [1.0] * len(layer), between), strict=True))
    for _ in range(SWEEPS):
        for number in (*range(len(gaps)), *reversed(range(len(gaps)))):
            layer = graph.layers[number]
            wanted, weights = [], []
            for vertex in layer:
                pulls = [
                    (x[n], _straightness(vertex, n, graph))
                    for n in (*graph.above[vertex], *graph.below[vertex])
                ]
                weight = sum(pull for _, pull in pulls)
                mean = sum(at * pull for at, pull in pulls) / weight if pulls else x[vertex]
                wanted.append(mean)
                weights.append(weight or 1.0)
            x.update(zip(layer, spread(wanted, weights, gaps[number]), strict=True))
    for _ in range(3):
        _straighten(graph, x, gaps)
    left = min(x[v] - (width / 2 if v < graph.nodes else 0) for v in x)
    return {v: at - left for v, at in x.items()}


def _straighten(graph: _Graph, x: dict[int, float], gaps: list[list[float]]) -> None:
    """Give the vertices of each line one x for as many layers as the room on both sides permits."""
    position = {
        v: (number, place)
        for number, layer in enumerate(graph.layers)
        for place, v in enumerate(layer)
    }

    def room(vertex: int) -> tuple[float, float]:
        number, place = position[vertex]
        layer, between = graph.layers[number], gaps[number]
        left = right = math.inf
        if place > 0:
            left = x[layer[place - 1]] + between[place - 1] - SLACK
        if place + 1 < len(layer):
            right = x[layer[place + 1]] - between[place] + SLACK
        return (left if place > 0 else -math.inf), right

    for line in _lines(graph):
        start = 0
        while start < len(line):
            low, high, end = -math.inf, math.inf, start
            while end < len(line):
                left, right = room(line[end])
                if max(low, left) > min(high, right):
                    break
                low, high, end = max(low, left), min(high, right), end + 1
            part = line[start : max(end, start + 1)]
            mean = sum(x[vertex] for vertex in part) / len(part)
            x.update(dict.fromkeys(part, max(low, min(high, mean))))
            start += len(part)


def _lines(graph: _Graph) -> list[list[int]]:
    """Return the vertices that should stand below one another: stems of nodes, and bends."""
    after: dict[int, int] = {}
    for node in range(graph.nodes):
        for fed in graph.below[node] if len(graph.below[node]) <= 2 else ():
            around = [*graph.below[node], *graph.above[fed]]
            nodes = sum(vertex < graph.nodes for vertex in around)
            if fed < graph.nodes and nodes == 2 and len(graph.above[fed]) <= 2:
                after[node] = fed
    stems = []
    for node in sorted(set(after) - set(after.values())):
        stem = [node]
        while stem[-1] in after:
            stem.append(after[stem[-1]])
        stems.append(stem)
    return stems + [route[1:-1] for route in graph.routes if len(route) > 2]


def _straightness(vertex: int, other: int, graph: _Graph) -> float:
    """Return how much a link should be straight: most of all in the middle of a long arrow."""
    return (2.0, 1.0, 8.0)[(vertex >= graph.nodes) + (other >= graph.nodes)]


def _ports(graph: _Graph, x: dict[int, float], width: float, end: int) -> dict[int, float]:
    """Return where each route leaves its first (`end` 0) or enters its last node (`end` -1)."""
    ports: dict[int, float] = {}
    for node in range(graph.nodes):
        towards = 1 if end == 0 else -2
        numbers = [i for i, route in enumerate(graph.routes) if route[end] == node]
        numbers.sort(key=lambda i: x[graph.routes[i][towards]])
        if not numbers:
            continue
        reach, last = width * PORTS / 2, len(numbers) - 1
        gap = min(PORT_GAP, 2 * reach / max(1, last))
        offsets = [x[graph.routes[i][towards]] - x[node] for i in numbers]
        wanted = [max(-reach, min(reach, offset)) for offset in offsets]
        placed = spread(wanted, [1.0] * len(numbers), [gap] * last)
        for place, number in enumerate(numbers):
            left, right = place * gap - reach, reach - (last - place) * gap
            ports[number] = x[node] + max(left, min(right, placed[place]))
    return ports


def _bow(start: Point, end: Point) -> tuple[Point, Point, Point]:
    """Return a curve that leaves and arrives vertically."""
    middle = (start[1] + end[1]) / 2
    return (start[0], middle), (end[0], middle), end


def _mean(values: list[int], default: int) -> float:
    return sum(values) / len(values) if values else default
