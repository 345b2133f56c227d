"""The three search spaces: strings, matrices, rules, random draws, and what the tables hold."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from operator import attrgetter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from diffusionnag import Architecture, DiffusionNAGError, SearchSpace, get_search_space
from diffusionnag.spaces import UNDECIDED, GPT2Scale, GPT2Shapes, search_space_names
from diffusionnag.spaces.nasbench201 import isomorphism_class

NASBENCH201, MOBILENETV3, MNASNET, TRANSNAS, MACRO, GPT2, GPT2_LARGE = SPACES = [
    get_search_space(name)
    for name in (
        *("nasbench201", "mobilenetv3", "mnasnet", "transnas"),
        *("nasbench_macro", "gpt2", "gpt2_large"),
    )
]
each_space = pytest.mark.parametrize("space", SPACES, ids=attrgetter("name"))
SMALLEST_P = 1e-4
"""Draws must look uniform to a chi-square test at this level; the seeds are fixed."""

# Strings as their benchmarks define them, written without the library.
EDGE_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
LAYERS = [f"{kernel}-{expand}" for kernel in (3, 5, 7) for expand in (3, 4, 6)]


WIDTHS = {"gpt2": "192 384 768", "gpt2_large": "320 640 1280"}
HEADS = {"gpt2": (4, 8, 12), "gpt2_large": (8, 16, 20)}
DEPTHS = {"gpt2": (10, 12), "gpt2_large": (34, 36)}


def cell_text(operations: tuple[str, ...]) -> str:
    a, b, c, d, e, f = operations
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def stage_text(layers: list[str]) -> str:
    return ",".join([*layers, "none", "none"][:4])


def block_texts(most_layers: int) -> st.SearchStrategy[str]:
    choices = ((1, 4, 6), (3, 5), tuple(range(1, most_layers + 1)), (0, 1))
    return st.tuples(*map(st.sampled_from, choices)).map(lambda c: "e{}k{}l{}s{}".format(*c))


def shape_texts(space: str) -> st.SearchStrategy[str]:
    layers = st.tuples(st.sampled_from(HEADS[space]), st.sampled_from((2, 3, 4))).map(
        "{0[0]}-{0[1]}".format
    )
    fewest, most = DEPTHS[space]
    stacks = st.lists(layers, min_size=fewest, max_size=most).map(",".join)
    widths, bias = st.sampled_from(WIDTHS[space].split()), st.sampled_from(("bias", "no_bias"))
    return st.tuples(widths, bias, stacks).map("|".join)


cells = st.tuples(*[st.sampled_from(EDGE_OPERATIONS)] * 6).map(cell_text)
stages = st.lists(st.sampled_from(LAYERS), min_size=2, max_size=4).map(stage_text)
networks = st.tuples(*[stages] * 5).map("|".join)
blocks = st.tuples(*[block_texts(3)] * 5, block_texts(4), block_texts(3)).map("|".join)
digits = st.tuples(*[st.integers(0, 3)] * 6).map(
    "64-41414-{0[0]}_{0[1]}{0[2]}_{0[3]}{0[4]}{0[5]}".format
)
TEXTS = {
    "nasbench201": cells,
    "mobilenetv3": networks,
    "mnasnet": blocks,
    "transnas": digits,
    "nasbench_macro": st.text("012", min_size=8, max_size=8),
    "gpt2": shape_texts("gpt2"),
    "gpt2_large": shape_texts("gpt2_large"),
}

CELL = cell_text(("none",) * 6)
NETWORK = "|".join(["7-6,5-4,none,none"] * 5)
BLOCKS = "|".join(["e4k5l1s0"] * 7)
SHAPE = "768|bias|" + ",".join(["12-4"] * 10)


def assert_uniform(counts: list[int]) -> None:
    assert chisquare(counts).pvalue > SMALLEST_P


@each_space
@given(data=st.data())
def test_strings_and_matrices_are_read_back(space: SearchSpace, data: st.DataObject) -> None:
    text = data.draw(TEXTS[space.name])
    architecture = space.parse(text)
    assert space.format(architecture) == text
    assert space.is_valid(architecture)
    matrices = space.encode([architecture])
    assert matrices.shape == (1, len(space.nodes), len(space.operations))
    assert space.decode(matrices) == [architecture]


@each_space
@given(data=st.data())
def test_a_string_is_refused_or_means_itself(space: SearchSpace, data: st.DataObject) -> None:
    text = data.draw(TEXTS[space.name])
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.text(max_size=2)) + text[place + 1 :]
    with contextlib.suppress(DiffusionNAGError):
        written = space.format(space.parse(changed))
        assert "".join(written.split()) == "".join(changed.split())


@each_space
@given(seed=st.integers(0, 2**32))
def test_mutation_changes_one_operation(space: SearchSpace, seed: int) -> None:
    (parent,) = space.sample(1, seed)
    child = space.mutate(parent, seed)
    changes = sum(a != b for a, b in zip(parent.operations, child.operations, strict=True))
    assert changes == 1
    assert space.is_valid(parent)
    assert space.is_valid(child)


@each_space
@given(seed=st.integers(0, 2**32))
def test_neighbours_are_all_single_changes_that_stay_valid(space: SearchSpace, seed: int) -> None:
    (parent,) = space.sample(1, seed)
    changed = (
        Architecture((*parent.operations[:node], new, *parent.operations[node + 1 :]), parent.edges)
        for node in range(len(space.nodes))
        for new in range(len(space.operations))
    )
    expected = {
        candidate for candidate in changed if candidate != parent and space.is_valid(candidate)
    }
    neighbours = list(space.neighbours(parent))
    assert set(neighbours) == expected
    assert len(neighbours) == len(expected)


@each_space
def test_entries_are_rounded_and_ambiguous_rows_are_reported(space: SearchSpace) -> None:
    architectures = space.sample(100, seed=0)
    matrices = space.encode(architectures)
    noise = np.random.default_rng(0).uniform(-0.49, 0.49, matrices.shape)
    assert space.decode(matrices + noise) == architectures
    for row in (0.4, 0.6):  # no entry is above a half, or more than one is
        ambiguous = matrices.copy()
        ambiguous[:, 1] = row
        for decoded in space.decode(ambiguous):
            assert decoded.operations[1] == UNDECIDED
            assert space.is_valid(decoded).reason == f"node {space.nodes[1]} has no operation"


@pytest.mark.parametrize(
    ("space", "text", "offender"),
    [
        (NASBENCH201, "", "3 parts"),
        (NASBENCH201, CELL.replace("none~2", "conv~2"), "node 2>3: no operation 'conv'"),
        (NASBENCH201, CELL.replace("none~2", "none~3"), "'|none~0|none~1|none~3|' should read"),
        (NASBENCH201, CELL.replace("none~2", "input~2"), "node 2>3 cannot be input"),
        (NASBENCH201, CELL.removesuffix("+|none~0|none~1|none~2|"), "not 2"),
        (MOBILENETV3, NETWORK.replace("7-6", "9-6", 1), "stage1.layer1: no operation '9-6'"),
        (MOBILENETV3, NETWORK + "|3-3,3-3,none,none", "5 stages joined by '|' expected, not 6"),
        (MOBILENETV3, NETWORK + ",none", "stage 5 has 5 slots"),
        (MOBILENETV3, NETWORK.replace("5-4", "none", 1), "stage1.layer2 cannot be none"),
        (MOBILENETV3, NETWORK.replace("none,none", "none,3-3", 1), "stage1.layer4 follows an abse"),
        (MNASNET, BLOCKS + "|e4k5l1s0", "7 blocks joined by '|' expected, not 8"),
        (MNASNET, BLOCKS.replace("e4", "e2", 1), "block0.expansion: no operation 'e2'"),
        (MNASNET, BLOCKS.replace("l1", "l4", 1), "block0.layers cannot be l4"),
        (MNASNET, BLOCKS.replace("s0", "", 1), "block 0, 'e4k5l1', should read"),
        (MACRO, "0212102", "should read like '02121020'"),
        (MACRO, "02121023", "eight digits from 0 to 2"),
        (GPT2, SHAPE.replace("|", ",", 1), "width, bias and layers joined by '|' expected, not 2"),
        (GPT2, SHAPE.replace("768", "256"), "node width: no operation '256'"),
        (GPT2, SHAPE.replace("bias", "none"), "bias cannot be none"),
        (GPT2, SHAPE.replace("12-4", "16-4", 1), "layer1: no operation '16-4'"),
        (GPT2, SHAPE.removesuffix(",12-4"), "9 layers joined by ',', not 10 to 12"),
        (GPT2, SHAPE + ",none", "11 layers joined by ','"),
        (GPT2_LARGE, SHAPE, "10 layers joined by ',', not 34 to 36"),
    ],
)
def test_a_wrong_string_is_refused_by_its_wrong_part(
    space: SearchSpace, text: str, offender: str
) -> None:
    with pytest.raises(DiffusionNAGError) as caught:
        space.parse(text)
    assert offender in str(caught.value)


def test_an_invalid_architecture_has_a_reason() -> None:
    cell = NASBENCH201.parse(CELL)
    assert NASBENCH201.is_valid(cell).reason == ""
    rewired = Architecture(cell.operations, cell.edges[1:])
    assert "wiring" in NASBENCH201.is_valid(rewired).reason
    short = Architecture(cell.operations[1:], cell.edges)
    assert "7 nodes, not 8" in NASBENCH201.is_valid(short).reason
    misplaced = Architecture((1, *cell.operations[1:]), cell.edges)
    assert "input cannot be none" in NASBENCH201.is_valid(misplaced).reason


@each_space
def test_wiring_is_upper_triangular_and_connects_all_nodes(space: SearchSpace) -> None:
    adjacency = space.sample(1)[0].adjacency()
    nodes = len(space.nodes)
    assert adjacency.shape == (nodes, nodes)
    np.testing.assert_array_equal(adjacency, np.triu(adjacency, 1))
    assert (adjacency.sum(0)[1:] > 0).all()
    assert (adjacency.sum(1)[:-1] > 0).all()


def test_an_operation_of_nasbench201_feeds_those_that_start_where_it_ends() -> None:
    ends = {name: (name[0], name[-1]) for name in NASBENCH201.nodes[1:-1]}
    ends = {"input": ("start", "0")} | ends | {"output": ("3", "end")}
    expected = [[ends[a][1] == ends[b][0] for b in NASBENCH201.nodes] for a in NASBENCH201.nodes]
    np.testing.assert_array_equal(NASBENCH201.parse(CELL).adjacency(), expected)


def test_sizes() -> None:
    assert NASBENCH201.size == 15_625
    assert MOBILENETV3.size == (9**2 + 9**3 + 9**4) ** 5
    assert MNASNET.size == 36**6 * 48
    assert GPT2.size == 3 * 2 * (9**10 + 9**11 + 9**12)
    for space in (MOBILENETV3, MNASNET, GPT2):
        with pytest.raises(DiffusionNAGError, match="too many to enumerate"):
            next(space.enumerate())


def test_enumeration_is_the_table(data_folder: Path) -> None:
    cells = [NASBENCH201.format(cell) for cell in NASBENCH201.enumerate()]
    table = pq.read_table(data_folder / "nasbench201_accuracy.parquet", columns=["arch"])
    assert len(cells) == 15_625
    assert set(cells) == set(table["arch"].to_pylist())
    assert len(set(cells)) == len(cells)


@pytest.mark.parametrize(
    ("space", "file", "rows"),
    [
        (NASBENCH201, "nasbench201_accuracy", 15_625),
        (NASBENCH201, "nasbench201_latency_ms", 15_625),
        (NASBENCH201, "nasbench201_meta_tasks", 4_630),
        (NASBENCH201, "nasbench201_robustness_cifar10", 6_466),
        (MOBILENETV3, "mobilenetv3_ofa_latency_ms", 5_000),
        (MNASNET, "mnasnet_imagenet", 5_138),
        (TRANSNAS, "transnas_micro", 4_096),
        (MACRO, "nasbench_macro", 6_561),
        (GPT2, "hwgpt_s", 10_000),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_every_string_of_the_tables_is_read_and_written_back(
    data_folder: Path, space: SearchSpace, file: str, rows: int
) -> None:
    texts = pq.read_table(data_folder / f"{file}.parquet", columns=["arch"])["arch"].to_pylist()
    assert len(texts) == rows
    assert [space.format(space.parse(text)) for text in texts] == texts


@each_space
def test_draws_are_valid_and_follow_from_the_seed(space: SearchSpace) -> None:
    first = space.sample(500, seed=1)
    assert all(map(space.is_valid, first))
    assert space.sample(500, seed=1) == first
    assert space.sample(500, seed=2) != first
    assert space.sample(0) == []


def test_nasbench201_has_as_many_isomorphism_classes_as_its_authors_count() -> None:
    cells = (NASBENCH201.operation_names(cell)[1:-1] for cell in NASBENCH201.enumerate())
    assert len(set(map(isomorphism_class, cells))) == 6_466


def test_draws_of_nasbench201_are_uniform() -> None:
    count = 4 * 15_625
    drawn = Counter(NASBENCH201.sample(count, seed=3))
    assert_uniform([drawn[cell] for cell in NASBENCH201.enumerate()])


def test_draws_of_mobilenetv3_have_uniform_depths_and_layers() -> None:
    drawn = [MOBILENETV3.operation_names(network) for network in MOBILENETV3.sample(20_000, seed=4)]
    for start in range(0, 20, 4):
        depths = Counter(4 - names[start : start + 4].count("none") for names in drawn)
        assert sorted(depths) == [2, 3, 4]
        assert_uniform(list(depths.values()))
    for node in range(20):
        layers = Counter(names[node] for names in drawn)
        layers.pop("none", None)
        assert sorted(layers) == LAYERS
        assert_uniform(list(layers.values()))


def test_draws_of_mnasnet_are_uniform_in_every_choice() -> None:
    drawn = np.array([network.operations for network in MNASNET.sample(20_000, seed=5)])
    options = 0
    for node in range(drawn.shape[1]):
        _, counts = np.unique(drawn[:, node], return_counts=True)
        assert_uniform(counts.tolist())
        options += math.log2(len(counts))
    assert options == pytest.approx(math.log2(MNASNET.size))


def test_draws_of_gpt2_have_uniform_widths_depths_and_layers() -> None:
    drawn = [GPT2.format(shape).split("|") for shape in GPT2.sample(20_000, seed=6)]
    for part in (0, 1):
        assert_uniform(list(Counter(shape[part] for shape in drawn).values()))
    stacks = [shape[2].split(",") for shape in drawn]
    depths = Counter(map(len, stacks))
    assert sorted(depths) == [10, 11, 12]
    assert_uniform(list(depths.values()))
    for place in range(10):
        layers = Counter(stack[place] for stack in stacks)
        assert len(layers) == 9
        assert_uniform(list(layers.values()))


def test_a_scale_of_your_own_is_one_argument() -> None:
    class Deep(GPT2Shapes, scale=GPT2Scale((64,), (1, 2), (3, 5))):
        name = "deep"

    space = Deep()
    assert space.size == 2 * (6**3 + 6**4 + 6**5)
    assert {space.format(shape) for shape in space.enumerate()} >= {"64|bias|1-2,2-3,1-4"}
    assert sum(1 for _ in space.enumerate()) == space.size


def test_analytic_properties_are_in_millions() -> None:
    operations = ("nor_conv_3x3", "nor_conv_3x3", "avg_pool_3x3")
    cell = cell_text((*operations, "none", "nor_conv_3x3", "avg_pool_3x3"))
    official = {"params": 0.802426, "macs": 113.95137}  # NATS-Bench, entry 11
    assert NASBENCH201.analytic_properties(NASBENCH201.parse(cell)) == pytest.approx(official)


@pytest.mark.parametrize("count", [10**14, 10**40])
def test_more_draws_than_fit_into_memory_are_refused_at_once(count: int) -> None:
    for space in map(get_search_space, search_space_names()):
        with pytest.raises(DiffusionNAGError, match="GiB of memory"):
            space.sample(count)


def test_a_misspelt_space_gets_a_hint() -> None:
    with pytest.raises(DiffusionNAGError, match="did you mean nasbench201"):
        get_search_space("nasbench_201")
