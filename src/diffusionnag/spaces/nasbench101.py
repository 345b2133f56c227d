"""NAS-Bench-101: cells of up to seven nodes with free wiring (Ying et al. 2019)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from diffusionnag.spaces._pasted import pasted_object, whole_numbers, without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import ImageClassification
from diffusionnag.spaces.search_space import CHUNK, SearchSpace

if TYPE_CHECKING:
    from torch import nn

INNER = 5
OUTPUT = INNER + 1
MOST_EDGES = 9
CELL_OPERATIONS = ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")
ABSENT = "none"
VERTICES = ("input", *(f"node{number}" for number in range(1, INNER + 1)), "output")
PAIRS = tuple(itertools.combinations(range(len(VERTICES)), 2))
ORDERS = tuple(itertools.permutations(range(INNER)))
"""Every way to number the inner nodes anew: the new place of each."""


class NASBench101(SearchSpace):
    """423,624 cells: up to five inner nodes of three kinds, and up to nine edges between any nodes.

    A node `input>node1` holds whether that edge is there. Every node lies on a path from input to
    output. Strings list the operations of the inner nodes, then the edges, 0 being the input and
    the largest number the output: `conv3x3-bn-relu,maxpool3x3|0>1,0>2,1>3,2>3`. Of all numberings
    of a cell's inner nodes, one is its form.
    """

    name = "nasbench101"
    nodes = (*VERTICES, *(f"{VERTICES[source]}>{VERTICES[target]}" for source, target in PAIRS))
    operations = ("input", *CELL_OPERATIONS, ABSENT, "output", "edge", "no_edge")
    edges = PAIRS

    networks = NetworkFamily(ImageClassification(10, 32), smallest=4)

    def build_network(self, architecture: Architecture, task: ImageClassification) -> nn.Module:
        """Return the benchmark's network: nine such cells in three stacks (Ying et al. 2019).

        Where the output's channels do not divide evenly, the first inner nodes have one more: in the
        order of this form of the cell, which need not be the benchmark's own.
        """
        from diffusionnag.spaces.nasbench101_networks import nasbench101_network

        names = self.operation_names(architecture)
        inner = {n: name for n, name in enumerate(names[:OUTPUT]) if name in CELL_OPERATIONS}
        return nasbench101_network(inner, set(architecture.edges), OUTPUT, task)

    def choices(self, node: int) -> Sequence[str]:
        """Return the three operations and `none` for an inner node, and whether an edge is there."""
        if node > OUTPUT:
            return ("edge", "no_edge")
        return (*CELL_OPERATIONS, ABSENT) if 0 < node < OUTPUT else (VERTICES[node],)

    def edge_condition(self, source: int, target: int) -> Mapping[str, Collection[str]]:
        """Return the node that holds whether an edge is there."""
        return {f"{VERTICES[source]}>{VERTICES[target]}": ("edge",)}

    def rule(self, operations: Sequence[str]) -> str | None:
        """Allow nine edges; every node must be fed and feed another, unless it is absent."""
        kept = [
            pair
            for pair, name in zip(PAIRS, operations[OUTPUT + 1 :], strict=True)
            if name == "edge"
        ]
        if len(kept) > MOST_EDGES:
            return f"it has {len(kept)} edges; at most {MOST_EDGES} are allowed"
        feeding, fed = {source for source, _ in kept}, {target for _, target in kept}
        for vertex, name in enumerate(VERTICES):
            if operations[vertex] == ABSENT:
                if vertex in feeding | fed:
                    return f"{name} is absent, but has an edge"
            elif vertex not in feeding and vertex != OUTPUT:
                return f"{name} leads nowhere"
            elif vertex not in fed and vertex != 0:
                return f"{name} has no input"
        return None

    def obeys_rule(self, operations: np.ndarray) -> np.ndarray:
        """Return which rows of allowed operations, `batch x N` indices, break no rule, bool."""
        edges = operations[:, OUTPUT + 1 :] == self.operations.index("edge")
        present = operations[:, : OUTPUT + 1] != self.operations.index(ABSENT)
        feeding, fed = (
            edges.astype(np.float32) @ (ends[:, None] == np.arange(OUTPUT + 1)) > 0
            for ends in np.array(PAIRS).T
        )
        connected = (feeding == present)[:, :OUTPUT].all(1) & (fed == present)[:, 1:].all(1)
        return connected & (edges.sum(1) <= MOST_EDGES)

    def format(self, architecture: Architecture) -> str:
        """Return the operations and edges of a cell, its absent nodes left out."""
        names = self.operation_names(architecture)[1:OUTPUT]
        present = [name for name in names if name != ABSENT]
        end = {OUTPUT: len(present) + 1}
        edges = (f"{source}>{end.get(target, target)}" for source, target in architecture.edges)
        return f"{','.join(present)}|{','.join(edges)}"

    def parse(self, text: str) -> Architecture:
        """Return the cell of a string, whatever the order of its inner nodes.

        A cell as the benchmark's own program takes it is read too, as JSON: `{"matrix": [[0, 1],
        [0, 0]], "ops": ["input", "output"]}`, or by the names `module_adjacency` and
        `module_operations`. White space means nothing. Raises DiffusionNAGError for any other string.
        """
        cell = pasted_object(text)
        compact = without_whitespace(text) if cell is None else self._from_matrix(cell, text)
        written, bar, pairs = compact.partition("|")
        inner = written.split(",") if written else []
        if not bar or len(inner) > INNER:
            expected = "it should read like 'conv3x3-bn-relu,maxpool3x3|0>1,0>2,1>3,2>3'"
            raise self.malformed(text, f"{expected}, with at most {INNER} operations")
        place = {str(number): number for number in range(len(inner) + 1)}
        place[str(len(inner) + 1)] = OUTPUT
        known = {
            f"{source}>{target}": (place[source], place[target])
            for source, target in itertools.combinations(place, 2)
        }
        chosen = set()
        for pair in pairs.split(","):
            if pair not in known:
                last = len(inner) + 1
                raise self.malformed(text, f"no edge {pair!r}; 0>1 to {last - 1}>{last} are known")
            chosen.add(known[pair])
        switches = ["edge" if pair in chosen else "no_edge" for pair in PAIRS]
        absent = [ABSENT] * (INNER - len(inner))
        return self.build(["input", *inner, *absent, "output", *switches], text)

    def _from_matrix(self, cell: Mapping[str, Any], text: str) -> str:
        """Return the string of a cell that is given as adjacency matrix and operations."""
        operations = cell.get("ops", cell.get("module_operations"))
        matrix = cell.get("matrix", cell.get("module_adjacency"))
        if (
            not isinstance(operations, list)
            or not all(isinstance(operation, str) for operation in operations)
            or operations[:1] + operations[-1:] != ["input", "output"]
        ):
            raise self.malformed(text, "`ops` should be a list from 'input' to 'output'")
        count = len(operations)
        rows = [whole_numbers(row, count) for row in matrix] if isinstance(matrix, list) else []
        if len(rows) != count or any(row is None or not {*row} <= {0, 1} for row in rows):
            raise self.malformed(
                text, f"`matrix` should have {count} rows of {count} numbers, 0 or 1"
            )
        edges = [
            (source, target)
            for source, row in enumerate(rows)
            if row
            for target in range(count)
            if row[target]
        ]
        if any(source >= target for source, target in edges):
            raise self.malformed(text, "`matrix` should have no 1 on or below its diagonal")
        return f"{','.join(operations[1:-1])}|{','.join(f'{a}>{b}' for a, b in edges)}"

    def canonical(self, operations: np.ndarray) -> np.ndarray:
        """Return the numbering of inner nodes that comes first among all: absent ones last."""
        present = operations[:, OUTPUT + 1 :] == self.operations.index("edge")
        labels = operations[:, 1:OUTPUT] - self.operations.index(CELL_OPERATIONS[0])
        absent = labels == len(CELL_OPERATIONS)
        weights, backward, moved = _numbering()
        codes = np.concatenate([absent, present, labels], axis=1).astype(np.float64) @ weights
        codes += np.where(present.astype(np.float64) @ backward > 0, np.inf, 0)
        sources = moved[codes.argmin(1)]
        return np.take_along_axis(operations, sources, axis=1)

    def sample_operations(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw cells, each equally likely, `count x N`."""
        wirings = self._wirings
        inner = (wirings[:, 1:OUTPUT] != self.operations.index(ABSENT)).sum(1)
        share = len(CELL_OPERATIONS) ** inner.astype(np.float64)
        kept = np.zeros((0, len(self.nodes)), dtype=np.int64)
        while len(kept) < count:
            drawn = wirings[rng.choice(len(wirings), 2 * count, p=share / share.sum())]
            kinds = rng.integers(len(CELL_OPERATIONS), size=(len(drawn), INNER))
            kept = np.concatenate([kept, self._obeying(_with_kinds(drawn, kinds))])
        return kept[:count]

    @property
    def is_enumerable(self) -> bool:
        """Whether `enumerate` can walk through the space: it only visits what is connected."""
        return True

    @cached_property
    def size(self) -> int:
        """The number of cells, as published."""
        return 423_624

    def enumerate_operations(self) -> Iterator[np.ndarray]:
        """Yield every cell once, as operation indices, `chunk x N`."""
        kinds = np.array(list(itertools.product(range(len(CELL_OPERATIONS)), repeat=INNER)))
        absent = self.operations.index(ABSENT)
        for inner in range(INNER + 1):
            of_size = self._wirings[(self._wirings[:, 1:OUTPUT] != absent).sum(1) == inner]
            tried = kinds[(kinds[:, inner:] == 0).all(1)]
            for part in np.array_split(of_size, 1 + len(of_size) * len(tried) // CHUNK):
                rows = np.repeat(part, len(tried), axis=0)
                yield self._obeying(_with_kinds(rows, np.tile(tried, (len(part), 1))))

    @cached_property
    def _wirings(self) -> np.ndarray:
        """Every wiring once, in canonical form, all its nodes of the first kind, `wirings x N`."""
        wirings = []
        for inner in range(INNER + 1):
            vertices = [*range(inner + 1), OUTPUT]
            pairs = [PAIRS.index(pair) for pair in itertools.combinations(vertices, 2)]
            present = np.zeros((2 ** len(pairs), len(PAIRS)), dtype=bool)
            present[:, pairs] = np.arange(2 ** len(pairs))[:, None] >> np.arange(len(pairs)) & 1
            present = present[present.sum(1) <= MOST_EDGES]
            for vertex in vertices:
                leaving = [edge for edge, pair in enumerate(PAIRS) if pair[0] == vertex]
                entering = [edge for edge, pair in enumerate(PAIRS) if pair[1] == vertex]
                for ends in (leaving, entering):
                    if ends:
                        present = present[present[:, ends].any(1)]
            rows = np.empty((len(present), len(self.nodes)), dtype=np.int64)
            rows[:, 0], rows[:, OUTPUT] = map(self.operations.index, ("input", "output"))
            rows[:, 1 : inner + 1] = self.operations.index(CELL_OPERATIONS[0])
            rows[:, inner + 1 : OUTPUT] = self.operations.index(ABSENT)
            edge, no_edge = map(self.operations.index, ("edge", "no_edge"))
            rows[:, OUTPUT + 1 :] = np.where(present, edge, no_edge)
            wirings += [
                self._obeying(part) for part in np.array_split(rows, 1 + len(rows) // CHUNK)
            ]
        return np.concatenate(wirings)


def _with_kinds(rows: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Return rows with the inner nodes that are present of these kinds, `batch x 5` from 0."""
    rows = rows.copy()
    inner = rows[:, 1:OUTPUT]
    first = NASBench101.operations.index(CELL_OPERATIONS[0])
    rows[:, 1:OUTPUT] = np.where(inner == first, first + kinds, inner)
    return rows


@functools.cache
def _numbering() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what each numbering of the inner nodes does.

    `(5 + 21 + 5) x numberings`: the weights of absent nodes, edges and labels in a code that tells
    cells apart, and is smallest for the form; `21 x numberings`: which edges would lead backwards;
    `numberings x N`: the former place of each node.
    """
    weights = np.zeros((2 * INNER + len(PAIRS), len(ORDERS)))
    backward = np.zeros((len(PAIRS), len(ORDERS)))
    moved = np.tile(np.arange(len(VERTICES) + len(PAIRS)), (len(ORDERS), 1))
    label_bits = 2 * INNER
    for number, order in enumerate(ORDERS):
        place = {0: 0, OUTPUT: OUTPUT} | {old + 1: new + 1 for old, new in enumerate(order)}
        for old, new in enumerate(order):
            weights[old, number] = 2.0 ** (label_bits + len(PAIRS) + INNER - 1 - new)
            weights[INNER + len(PAIRS) + old, number] = 4.0**new
            moved[number, new + 1] = old + 1
        for edge, (source, target) in enumerate(PAIRS):
            pair = place[source], place[target]
            backward[edge, number] = pair[0] > pair[1]
            new = PAIRS.index((min(pair), max(pair)))
            weights[INNER + edge, number] = 2.0 ** (label_bits + new)
            moved[number, len(VERTICES) + new] = len(VERTICES) + edge
    return weights, backward, moved
