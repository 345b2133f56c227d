"""DARTS: two cells of four nodes with two inputs each, wiring included (Liu et al. 2019)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from diffusionnag.spaces._pasted import without_whitespace
from diffusionnag.spaces.architecture import Architecture, Edge
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import ImageClassification
from diffusionnag.spaces.search_space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

CELLS = ("normal", "reduce")
INPUTS = 2
STEPS = 4
CELL_OPERATIONS = (
    *("max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5"),
    *("dil_conv_3x3", "dil_conv_5x5"),
)
SIDES = ("left", "right")
PAIRS = tuple(
    f"{left}+{right}" for left, right in itertools.combinations(range(INPUTS + STEPS - 1), 2)
)
"""The two sources of a node: 0 and 1 are the cell's inputs, 2 the first node, and so on."""
CELL_NODES = (
    *("input0", "input1"),
    *(f"node{step}.{part}" for step in range(STEPS) for part in SIDES),
    "output",
    *(f"sources{step}" for step in range(STEPS)),
)
CONCAT = r"(?:range\(2,6\)|\[2,3,4,5\])"
"""A cell's output joins all of its four nodes."""
WIDTH = len(CELL_NODES)
OUTPUT = CELL_NODES.index("output")


def _cell_edges(start: int) -> list[Edge]:
    """Return the edges that a cell may have, whose first node has the number `start`."""
    layers = [[0], [1], *([2 + 2 * step, 3 + 2 * step] for step in range(STEPS))]
    before = [
        (source, target)
        for place in range(INPUTS, len(layers))
        for layer in layers[:place]
        for source in layer
        for target in layers[place]
    ]
    leaving = [(source, OUTPUT) for layer in layers[INPUTS:] for source in layer]
    return [(start + source, start + target) for source, target in sorted(before + leaving)]


def _parts(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return the eight operations of a cell, from the names at its nodes, each with its source."""
    operations, pairs = names[INPUTS:OUTPUT], names[OUTPUT + 1 :]
    sources = [int(source) for pair in pairs for source in pair.split("+")]
    return list(zip(operations, sources, strict=True))


class DARTS(SearchSpace):
    """About 1e18 pairs of cells; each of a cell's four nodes adds up two operations on two sources.

    A node's place is `node0.left`, its operation on the earlier of its sources, and
    `node0.right`; `sources0` holds which two they are. The space is that of NAS-Bench-301, whose
    genotypes are its strings: `normal=[(op,0),(op,1),...] reduce=[...]`, two operations a node;
    `Genotype(normal=[('op', 0), ...], ...)` of the authors' program is read too.
    """

    name = "darts"
    nodes = tuple(f"{cell}:{node}" for cell in CELLS for node in CELL_NODES)
    operations = ("input", *CELL_OPERATIONS, "output", *PAIRS)
    edges = tuple(edge for number in range(len(CELLS)) for edge in _cell_edges(number * WIDTH))

    networks = NetworkFamily(ImageClassification(10, 32), smallest=4)

    def build_network(self, architecture: Architecture, task: ImageClassification) -> nn.Module:
        """Return the authors' network for CIFAR-10, or from 128 pixels on that for ImageNet."""
        from diffusionnag.spaces.darts_networks import darts_network

        names = self.operation_names(architecture)
        normal, reduce = (_parts(names[start : start + WIDTH]) for start in (0, WIDTH))
        return darts_network(normal, reduce, task)

    def choices(self, node: int) -> Sequence[str]:
        """Return the seven operations, and of a node's sources all pairs of what comes before it."""
        name = CELL_NODES[node % WIDTH]
        if name.startswith("sources"):
            last = INPUTS - 1 + int(name.removeprefix("sources"))
            return [pair for pair in PAIRS if int(pair.split("+")[1]) <= last]
        if name.startswith("node"):
            return CELL_OPERATIONS
        return ("output",) if name == "output" else ("input",)

    def edge_condition(self, source: int, target: int) -> Mapping[str, Collection[str]]:
        """Return the pairs of sources in which an operation's own source stands on its side."""
        cell, place = divmod(target, WIDTH)
        if place == OUTPUT:
            return {}
        step, side = divmod(place - INPUTS, len(SIDES))
        source_place = source % WIDTH
        number = source_place if source_place < INPUTS else source_place // 2 + 1
        name = f"{CELLS[cell]}:sources{step}"
        pairs = self.choices(self.nodes.index(name))
        return {name: [pair for pair in pairs if int(pair.split("+")[side]) == number]}

    def format(self, architecture: Architecture) -> str:
        """Return the genotype of both cells, the sources of each node in ascending order."""
        names = self.operation_names(architecture)
        cells = []
        for number, cell in enumerate(CELLS):
            parts = _parts(names[number * WIDTH : (number + 1) * WIDTH])
            written = (f"({name},{source})" for name, source in parts)
            cells.append(f"{cell}=[{','.join(written)}]")
        return " ".join(cells)

    def parse(self, text: str) -> Architecture:
        """Return the architecture of a genotype, each node's two operations in either order.

        `Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range(2, 6), ...)`, as the authors'
        program prints it, is read too. White space means nothing. Raises DiffusionNAGError for any
        other string.
        """
        entry = r"\((\w+),([0-9])\)"
        cell = rf"\[({entry}(?:,{entry})*)\]"
        printed = without_whitespace(text).translate(str.maketrans("", "", "'\""))
        match = re.fullmatch(rf"normal={cell}reduce={cell}", printed) or re.fullmatch(
            rf"Genotype\(normal={cell},normal_concat={CONCAT},reduce={cell},reduce_concat={CONCAT}\)",
            printed,
        )
        if match is None:
            raise self.malformed(
                text, "it should read like 'normal=[(skip_connect,0),...] reduce=[...]'"
            )
        operations: list[str] = []
        for entries_text in (match.group(1), match.group(6)):
            entries = [(name, int(source)) for name, source in re.findall(entry, entries_text)]
            if len(entries) != 2 * STEPS:
                raise self.malformed(text, f"a cell has {2 * STEPS} operations, not {len(entries)}")
            pairs = []
            operations += ["input"] * INPUTS
            for node in zip(*[iter(entries)] * 2, strict=True):
                (left, first), (right, second) = sorted(node, key=lambda pair: pair[1])
                if first == second:
                    raise self.malformed(text, f"a node has the source {first} twice")
                operations += [left, right]
                pairs.append(f"{first}+{second}")
            operations += ["output", *pairs]
        return self.build(operations, text)
