from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusionnag.diffusion.training_set import TrainingSet
from diffusionnag.spaces import UNDECIDED, Architecture, SearchSpace, get_search_space
from experiments.generation.undirected_baseline import (
    SAMPLED_TOGETHER,
    UndirectedGraph,
    UndirectedModel,
    UndirectedNetwork,
    to_architecture,
    train_undirected,
    undirected_quality,
)

pytest.importorskip("networkx")

EACH = pytest.mark.parametrize("name", ["nasbench201", "mobilenetv3", "mnasnet"])


def renumber(architecture: Architecture, order: np.ndarray) -> UndirectedGraph:
    """Return an architecture without direction whose node i was number `order[i]`."""
    place = np.argsort(order)
    edges = sorted(sorted((int(place[i]), int(place[j]))) for i, j in architecture.edges)
    operations = tuple(architecture.operations[node] for node in order)
    return UndirectedGraph(operations, tuple((i, j) for i, j in edges))


def canonical(space: SearchSpace, architecture: Architecture) -> Architecture | None:
    return to_architecture(space, renumber(architecture, np.arange(len(space.nodes))))


@cache
def trained() -> tuple[UndirectedModel, list[tuple[int, float]]]:
    """Return a model of a short training, and what that training reported."""
    reported: list[tuple[int, float]] = []
    space = get_search_space("nasbench201")
    model = train_undirected(space, steps=40, seed=3, report=lambda *now: reported.append(now))
    return model, reported


# -- the network ----------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(nodes=st.integers(2, 9), seed=st.integers(0, 99))
def test_renumbering_the_nodes_renumbers_the_noise(nodes: int, seed: int) -> None:
    torch.manual_seed(seed)
    network = UndirectedNetwork(5).double()
    x, adjacency = torch.randn(3, nodes, 5).double(), torch.randn(3, nodes, nodes).double().triu(1)
    adjacency, time = adjacency + adjacency.transpose(1, 2), torch.rand(3).double()
    order = torch.randperm(nodes)
    x_noise, edge_noise = network(x, adjacency, time)
    x_renumbered, edge_renumbered = network(x[:, order], adjacency[:, order][:, :, order], time)
    torch.testing.assert_close(x_renumbered, x_noise[:, order])
    torch.testing.assert_close(edge_renumbered, edge_noise[:, order][:, :, order])


def test_the_noise_of_the_adjacency_is_symmetric_without_loops() -> None:
    adjacency = torch.randn(2, 6, 6).triu(1)
    adjacency = adjacency + adjacency.transpose(1, 2)
    _, noise = UndirectedNetwork(4)(torch.randn(2, 6, 4), adjacency, torch.rand(2))
    torch.testing.assert_close(noise, noise.transpose(1, 2))
    assert (noise.diagonal(dim1=1, dim2=2) == 0).all()
    assert noise.abs().sum() > 0


# -- training and sampling ------------------------------------------------------------------------


def test_training_lowers_the_loss_and_reports_every_step() -> None:
    _, reported = trained()
    steps, losses = zip(*reported, strict=True)
    assert steps == tuple(range(1, 41))
    assert np.mean(losses[-5:]) < 0.93 * np.mean(losses[:5])


def test_the_same_seed_trains_the_same_network_and_leaves_other_randomness_alone() -> None:
    space = get_search_space("nasbench201")
    torch.manual_seed(1)
    first = train_undirected(space, steps=2, seed=5)
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == after
    second, other = (train_undirected(space, steps=2, seed=seed) for seed in (5, 6))
    for name, value in first.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value)
    weights = [model.network.operation_embedding.weight for model in (first, other)]
    assert not torch.equal(*weights)


def test_samples_follow_from_the_seed_and_are_well_formed() -> None:
    model, _ = trained()
    first, again, other = (
        model.sample(6, seed, solver="reverse_diffusion", steps=10) for seed in (0, 0, 1)
    )
    assert first == again != other
    for graph in first:
        assert len(graph.operations) == 8
        assert all(0 <= i < j < 8 for i, j in graph.edges)
        assert list(graph.edges) == sorted(set(graph.edges))


def test_any_number_of_samples_can_be_asked_for() -> None:
    model, _ = trained()
    for count in (0, 1, SAMPLED_TOGETHER + 1):
        assert len(model.sample(count, 0, solver="ancestral", steps=1)) == count


# -- reading graphs -------------------------------------------------------------------------------


@EACH
def test_a_valid_architecture_is_read_under_any_numbering(name: str) -> None:
    space = get_search_space(name)
    rng = np.random.default_rng(0)
    for architecture in space.sample(20, 1):
        read = to_architecture(space, renumber(architecture, rng.permutation(len(space.nodes))))
        assert read is not None
        assert space.is_valid(read)
        assert read == canonical(space, architecture)


def test_a_cell_has_one_reading() -> None:
    space = get_search_space("nasbench201")
    assert all(
        canonical(space, architecture) == architecture for architecture in space.sample(50, 2)
    )


def test_a_chain_is_read_in_either_direction() -> None:
    space = get_search_space("mobilenetv3")
    deep = space.build(["3-3", "7-6", *["5-4"] * 18])
    backwards = Architecture(deep.operations[::-1], deep.edges)
    assert space.is_valid(backwards)
    assert canonical(space, deep) == canonical(space, backwards)
    shallow = space.build([*["3-3", "7-6", "none", "none"] * 5])
    backwards = Architecture(shallow.operations[::-1], shallow.edges)
    assert not space.is_valid(backwards)
    assert canonical(space, backwards) == shallow


@EACH
def test_a_broken_graph_has_no_reading(name: str) -> None:
    space = get_search_space(name)
    architecture = space.sample(1, 0)[0]
    operations, edges = architecture.operations, architecture.edges
    undecided = (*operations[:1], UNDECIDED, *operations[2:])
    assert to_architecture(space, UndirectedGraph(undecided, edges)) is None
    assert to_architecture(space, UndirectedGraph(operations, ())) is None
    assert to_architecture(space, UndirectedGraph(operations, edges[1:])) is None
    more = tuple(sorted({*edges, (0, len(operations) - 1)}))
    assert to_architecture(space, UndirectedGraph(operations, more)) is None


def test_operations_in_wrong_places_have_no_reading() -> None:
    cells = get_search_space("nasbench201")
    cell = cells.sample(1, 0)[0]
    two_inputs = UndirectedGraph((0, 0, *cell.operations[2:]), cell.edges)
    swapped = (cell.operations[2], *cell.operations[1:2], 0, *cell.operations[3:])
    assert to_architecture(cells, two_inputs) is None
    assert to_architecture(cells, UndirectedGraph(swapped, cell.edges)) is None
    chains = get_search_space("mobilenetv3")
    names = ["3-3", "3-3", "none", "3-3", *["3-3"] * 12, "3-3", "none", "3-3", "3-3"]
    gap = tuple(chains.operations.index(name) for name in names)
    assert to_architecture(chains, UndirectedGraph(gap, chains.edges)) is None


def test_two_pieces_with_the_degrees_of_a_chain_are_no_chain() -> None:
    space = get_search_space("mnasnet")
    architecture = space.sample(1, 0)[0]
    ring = [(i, i + 1) for i in range(9)] + [(0, 9)]
    chain = [(i, i + 1) for i in range(10, 27)]
    graph = UndirectedGraph(architecture.operations, tuple(sorted(ring + chain)))
    assert to_architecture(space, graph) is None


def test_quality_counts_what_can_be_read() -> None:
    model, _ = trained()
    space = model.space
    known = TrainingSet(model.seed).operations(space)[0]
    cell = Architecture(tuple(known.tolist()), space.edges)
    as_it_is = UndirectedGraph(cell.operations, cell.edges)
    backwards = renumber(cell, np.arange(8)[::-1])
    broken = UndirectedGraph(cell.operations, ())
    graphs = [as_it_is, backwards, broken, broken]
    kind = undirected_quality(space, model, graphs, as_numbered=False)
    assert (kind.validity, kind.uniqueness, kind.novelty) == (50.0, 50.0, 0.0)
    strict = undirected_quality(space, model, graphs, as_numbered=True)
    assert (strict.validity, strict.uniqueness, strict.novelty) == (25.0, 100.0, 0.0)
