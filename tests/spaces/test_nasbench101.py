"""NAS-Bench-101: cells of free wiring up to the numbering of their nodes."""

from __future__ import annotations

import functools
import itertools

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionnag import Architecture, DiffusionNAGError, get_search_space

SPACE = get_search_space("nasbench101")
VERTICES = SPACE.nodes[:7]
seeds = st.integers(0, 2**32)


def graph_of(cell: Architecture) -> networkx.DiGraph:
    """Return a cell as a graph without its absent nodes, each labelled by its operation."""
    names = SPACE.operation_names(cell)
    graph = networkx.DiGraph()
    graph.add_nodes_from((i, {"op": names[i]}) for i in range(7) if names[i] != "none")
    graph.add_edges_from(cell.edges)
    return graph


def are_isomorphic(cell: Architecture, other: Architecture) -> bool:
    match = networkx.algorithms.isomorphism.categorical_node_match("op", None)
    return networkx.is_isomorphic(graph_of(cell), graph_of(other), node_match=match)


def renumbered(cell: Architecture, rng: np.random.Generator) -> str:
    """Return a cell's string with its inner nodes in another topological order."""
    graph, order = graph_of(cell), []
    waiting = set(graph) - {0, 6}
    while waiting:
        ready = [v for v in sorted(waiting) if not waiting & set(graph.predecessors(v))]
        order.append(ready[int(rng.integers(len(ready)))])
        waiting.remove(order[-1])
    number = {old: new for new, old in enumerate([0, *order, 6])}
    operations = ",".join(graph.nodes[v]["op"] for v in order)
    return f"{operations}|" + ",".join(f"{number[a]}>{number[b]}" for a, b in graph.edges)


@functools.cache
def all_cells() -> np.ndarray:
    """Every cell of the space, `cells x N` operations."""
    return np.concatenate([chunk.astype(np.int8) for chunk in SPACE.enumerate_operations()])


def test_the_rule_allows_as_many_cells_as_were_published() -> None:
    distinct = {cell.tobytes() for cell in all_cells()}
    assert len(all_cells()) == len(distinct) == SPACE.size == 423_624


def test_the_rule_is_the_same_for_one_and_for_many() -> None:
    rng = np.random.default_rng(0)
    changed = SPACE.sample_operations(500, rng)
    for row, node in enumerate(rng.integers(len(SPACE.nodes), size=len(changed))):
        changed[row, node] = rng.choice(np.flatnonzero(SPACE.allowed[node]))
    names = [[SPACE.operations[operation] for operation in row] for row in changed.tolist()]
    kept = [SPACE.rule(row) is None for row in names]
    assert SPACE.obeys_rule(changed).tolist() == kept
    assert 0.2 < np.mean(kept) < 0.8


@given(seed=seeds)
def test_cells_are_connected_and_small(seed: int) -> None:
    (cell,) = SPACE.sample(1, seed)
    assert SPACE.is_valid(cell)
    graph = graph_of(cell)
    assert graph.number_of_edges() <= 9
    for node in graph:
        assert networkx.has_path(graph, 0, node)
        assert networkx.has_path(graph, node, 6)
    assert SPACE.parse(SPACE.format(cell)) == cell
    assert SPACE.decode(SPACE.encode([cell])) == [cell]


@given(seed=seeds)
def test_any_numbering_of_the_nodes_is_the_same_cell(seed: int) -> None:
    (cell,) = SPACE.sample(1, seed)
    assert SPACE.parse(renumbered(cell, np.random.default_rng(seed))) == cell


def test_equal_means_isomorphic() -> None:
    small = [cell for cell in SPACE.sample(3_000, 0) if len(graph_of(cell)) <= 5]
    for cell, other in itertools.combinations(small[:40], 2):
        assert (cell == other) == are_isomorphic(cell, other)


def test_draws_are_uniform() -> None:
    cells = np.array([cell.operations for cell in SPACE.sample(20_000, 0)])
    inner, expected = (
        (operations[:, 1:6] != SPACE.operations.index("none")).sum(1)
        for operations in (cells, all_cells())
    )
    for size in (3, 4, 5):
        share = (expected == size).mean()
        deviation = np.sqrt(share * (1 - share) / len(cells))
        assert (inner == size).mean() == pytest.approx(share, abs=4 * deviation)


@given(seed=seeds)
def test_neighbours_differ_in_an_operation_or_an_edge(seed: int) -> None:
    (cell,) = SPACE.sample(1, seed)
    neighbours = list(SPACE.neighbours(cell))
    assert cell not in neighbours
    assert all(SPACE.is_valid(neighbour) for neighbour in neighbours)
    assert {abs(len(neighbour.edges) - len(cell.edges)) for neighbour in neighbours} <= {0, 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv1x1-bn-relu", "should read like"),
        ("maxpool3x3|0>1", "node1 leads nowhere"),
        ("maxpool3x3|0>1,0>2,1>3", "no edge '1>3'"),
        ("maxpool3x3,maxpool3x3|0>1,1>3,2>3", "node2 has no input"),
        ("maxpool|0>1,1>2", "no operation 'maxpool'"),
        (",".join(["maxpool3x3"] * 5) + "|0>1,0>2,0>3,0>4,0>5,1>6,2>6,3>6,4>6,5>6", "10 edges"),
        (",".join(["maxpool3x3"] * 6) + "|0>1", "at most 5 operations"),
    ],
)
def test_a_wrong_string_is_refused_by_its_wrong_part(text: str, message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        SPACE.parse(text)


def test_the_smallest_cell_is_an_edge_alone() -> None:
    cell = SPACE.parse("|0>1")
    assert cell.edges == ((0, 6),)
    assert SPACE.format(cell) == "|0>1"
