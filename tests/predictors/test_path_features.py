import itertools
import re
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusionnag.predictors import ArchitectureFeatures, PathFeatures
from diffusionnag.predictors.number_features import number_columns
from diffusionnag.spaces import (
    Architecture,
    Declaration,
    SearchSpace,
    declared_space,
    fix_nodes,
    get_search_space,
)

SEEDS = st.integers(0, 9_999)


def draw(name: str, seed: int) -> tuple[SearchSpace, Architecture]:
    space = get_search_space(name)
    return space, space.sample(1, seed)[0]


def groups(space: SearchSpace, architecture: Architecture) -> list[np.ndarray]:
    x = torch.from_numpy(space.encode([architecture])).double()
    return [group[0].numpy() for group in PathFeatures(space)(x)]


def length_below_one(counts: np.ndarray) -> np.ndarray:
    return counts / np.sqrt(1 + np.square(counts).sum())


def all_paths(space: SearchSpace) -> list[list[int]]:
    """Return the nodes of each path from end to end, by trying every subset of the nodes."""
    last = len(space.nodes) - 1
    edges = set(space.edges)
    paths = []
    for between in range(last):
        for inner in itertools.combinations(range(1, last), between):
            path = [0, *inner, last]
            if edges.issuperset(itertools.pairwise(path)):
                paths.append(path)
    return paths


def open_paths(space: SearchSpace, architecture: Architecture) -> list[list[str] | None]:
    """Return the operations of edges along each path, None for a blocked path."""
    names = space.operation_names(architecture)
    paths = [[names[node] for node in path[1:-1]] for path in all_paths(space)]
    return [None if "none" in path else path for path in paths]


@settings(max_examples=50)
@given(seed=SEEDS)
def test_features_are_what_can_be_counted_along_the_paths(seed: int) -> None:
    space, cell = draw("nasbench201", seed)
    choices, along, counts, shares = groups(space, cell)
    paths = open_paths(space, cell)
    operations = [name for name in space.choices(1) if name != "none"]
    picked = [space.choices(1).index(name) for name in space.operation_names(cell)[1:-1]]
    np.testing.assert_array_equal(choices, np.eye(5)[picked].ravel())
    alive = [float(path is not None) for path in paths]
    present = [[float(path is not None and name in path) for name in operations] for path in paths]
    np.testing.assert_array_equal(along[: len(paths)], alive)
    np.testing.assert_array_equal(along[len(paths) :], np.ravel(present))
    counted = [sum(path.count(name) for path in paths if path) for name in operations]
    np.testing.assert_array_equal(counts, counted)
    np.testing.assert_allclose(shares, length_below_one(np.array(counted)))


@settings(max_examples=50)
@given(seed=SEEDS)
def test_pairs_are_operations_that_follow_each_other_along_the_paths(seed: int) -> None:
    space, cell = draw("nasbench201", seed)
    operations = [name for name in space.choices(1) if name != "none"]
    # The last row and column are the input and the output.
    table = np.zeros((len(operations) + 1, len(operations) + 1))
    for path in filter(None, open_paths(space, cell)):
        stops = [-1, *(operations.index(name) for name in path), -1]
        for before, after in itertools.pairwise(stops):
            table[before, after] += 1
    x = torch.from_numpy(space.encode([cell])).double()
    *_, pairs = ArchitectureFeatures(space)(x)
    np.testing.assert_allclose(pairs[0].numpy(), length_below_one(table).ravel())


@settings(max_examples=50)
@given(seed=SEEDS)
def test_what_feeds_what_does_not_depend_on_how_nodes_are_numbered(seed: int) -> None:
    space, network = draw("nasbench_graph", seed)
    names = space.operation_names(network)
    layers, sources = names[1:5], [0, *map(int, names[6:])]
    expected = Counter(
        ("input" if source == 0 else layers[source - 1], layer)
        for source, layer in zip(sources, layers, strict=True)
    )
    expected.update(
        (layer, "output") for place, layer in enumerate(layers, 1) if place not in sources
    )
    *_, feeding = groups(space, network)
    table = feeding.reshape(len(space.operations), len(space.operations))
    counted = {
        (space.operations[source], space.operations[target]): table[source, target]
        for source, target in zip(*table.nonzero(), strict=True)
    }
    assert counted == expected


@pytest.mark.parametrize("name", ["nasbench201", "mobilenetv3", "mnasnet", "nasbench_graph"])
@settings(max_examples=20)
@given(seed=SEEDS)
def test_the_gradient_equals_finite_differences(name: str, seed: int) -> None:
    space, architecture = draw(name, seed)
    rng = torch.Generator().manual_seed(seed)
    clean = torch.from_numpy(space.encode([architecture])).double()
    noise = torch.rand(clean.shape, generator=rng, dtype=torch.float64)
    x = (0.7 * clean + 0.3 * noise / noise.sum(-1, keepdim=True)).requires_grad_()
    features = ArchitectureFeatures(space)
    shares = [
        torch.rand(len(group[0]), generator=rng, dtype=torch.float64) for group in features(x)
    ]

    def weighted(x: torch.Tensor) -> torch.Tensor:
        parts = zip(features(x), shares, strict=True)
        return torch.stack([(group[0] * share).sum() for group, share in parts]).sum()

    (gradient,) = torch.autograd.grad(weighted(x), x)
    direction = torch.randn(x.shape, generator=rng, dtype=torch.float64)
    step = 1e-5
    with torch.no_grad():
        ahead, behind = weighted(x + step * direction), weighted(x - step * direction)
    expected = float((ahead - behind) / (2 * step))
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_numbers_have_an_order() -> None:
    space = get_search_space("gpt2")
    shapes = space.sample(50, 0)
    x = torch.from_numpy(space.encode(shapes)).double()
    features = ArchitectureFeatures(space)
    *_, width, layers, sums = features(x)
    ranks = {"192": -1.0, "384": 0.0, "768": 1.0}
    names = [space.operation_names(shape) for shape in shapes]
    assert width.tolist() == [[ranks[each[0]]] for each in names]
    # Of a layer such as `8-4` the heads, how much wider it gets within, and whether it is there.
    heads, wider = {"4": -1.0, "8": 0.0, "12": 1.0}, {"2": -1.0, "3": 0.0, "4": 1.0}
    optional = [node for node, each in enumerate(choices_of(space)) if "none" in each]
    assert layers.shape[1] == 12 + 12 + len(optional)
    for row, each in zip(sums, names, strict=True):
        there = [layer.split("-") for layer in each[2:] if layer != "none"]
        counted = [
            sum(heads[head] for head, _ in there) / 12**0.5,
            sum(wider[ratio] for _, ratio in there) / 12**0.5,
            sum(each[node] != "none" for node in optional) / len(optional) ** 0.5,
        ]
        assert row.tolist() == pytest.approx(counted)


def choices_of(space: SearchSpace) -> list[list[str]]:
    """Return the names of each node's choices."""
    return [
        [name for name, there in zip(space.operations, row, strict=True) if there]
        for row in space.allowed
    ]


@pytest.mark.parametrize(
    "name", ["nasbench201", "nasbench_graph", "nasbench101", "transnas", "darts"]
)
def test_names_have_none(name: str) -> None:
    space = get_search_space(name)
    *_, pairs = ArchitectureFeatures(space)(torch.from_numpy(space.encode(space.sample(2, 0))))
    assert ArchitectureFeatures(space).groups == PathFeatures(space).groups + 1
    assert (torch.linalg.vector_norm(pairs, dim=1) < 1).all()


@pytest.mark.parametrize("name", ["mobilenetv3", "mnasnet", "gpt2", "nasbench_macro"])
@settings(max_examples=20)
@given(seed=SEEDS)
def test_more_of_a_number_never_lowers_its_sum(name: str, seed: int) -> None:
    space, architecture = draw(name, seed)
    names = space.operation_names(architecture)
    rng = np.random.default_rng(seed)
    node = int(rng.integers(len(names)))
    numbers = {
        each: [float(number) for number in re.findall(r"[0-9.]+", each)]
        for each in choices_of(space)[node]
    }
    now = numbers[names[node]]
    larger = [
        each
        for each, values in numbers.items()
        if now and values and all(a >= b for a, b in zip(values, now, strict=True))
    ]
    if not larger:
        return
    columns = number_columns(space).totals

    def totals(chosen: str) -> np.ndarray:
        rows = np.zeros(space.allowed.shape)
        for place, each in enumerate([*names[:node], chosen, *names[node + 1 :]]):
            rows[place, space.operations.index(each)] = 1
        return rows.ravel() @ columns

    for each in larger:
        assert (totals(each) >= totals(names[node]) - 1e-12).all()


def test_names_that_end_in_a_digit_have_no_order() -> None:
    kinds = {"layer": ["conv3", "pool5", "relu6"], "rate": ["1e-3", "1e-2"], "end": ["end"]}
    space = declared_space(Declaration("kinds", kinds))()
    columns = number_columns(space)
    assert [each.shape[1] for each in (columns.single, columns.several, columns.totals)] == [
        1,
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("names", "ranks"),
    [
        (["1e-3", "1e-2", "1e+1"], [-1, 0, 1]),
        ([".125", ".25", ".5"], [-1, 0, 1]),
        (["-1", "1", "3"], [-1, 0, 1]),
        (["k7", "k3", "k5"], [1, -1, 0]),
    ],
)
def test_names_that_are_one_number_are_ranked(names: list[str], ranks: list[int]) -> None:
    space = declared_space(Declaration("one", {"size": names, "end": ["end"]}))()
    (column,) = number_columns(space).single.T
    assert column.reshape(space.allowed.shape)[0, space.allowed[0]].tolist() == ranks


@pytest.mark.parametrize("names", [["#3#", "3#4"], ["3", "3.0", "5"], ["conv_3x3", "conv_5x5"]])
def test_other_names_are_no_single_numbers(names: list[str]) -> None:
    space = declared_space(Declaration("other", {"size": names, "end": ["end"]}))()
    assert number_columns(space).single.shape[1] == 0


def test_sums_are_of_the_same_number_of_each_layer() -> None:
    kinds = {"layer1": ["3-2", "5-2"], "layer2": ["3-2", "3-4"], "end": ["end"]}
    columns = number_columns(declared_space(Declaration("apart", kinds))())
    assert columns.totals.shape[1] == 0


def test_fixed_nodes_leave_as_many_groups() -> None:
    space = get_search_space("gpt2")
    fixed = fix_nodes(space, {space.nodes[0]: "192"})
    assert len({ArchitectureFeatures(each).groups for each in (space, fixed)}) == 1
