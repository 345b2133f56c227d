"""The forms in which people have architectures at hand are read, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cost import OFFICIAL_CELLS

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.spaces import search_space_names

OFFICIAL_NUMBERS = (0, 11, 284)
GENOTYPE = """Genotype(
    normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1),
            ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)],
    normal_concat=[2, 3, 4, 5],
    reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0),
            ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)],
    reduce_concat=range(2, 6))
"""
MATRIX = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
OPS = ["input", "conv3x3-bn-relu", "maxpool3x3", "output"]
CONFIGURATION = {"ks": [3, 5, 7, 3] * 5, "e": [6] * 20, "d": [2, 3, 4, 2, 3]}


@pytest.mark.parametrize("name", search_space_names())
def test_white_space_means_nothing(name: str) -> None:
    space = get_search_space(name)
    for architecture in space.sample(20, seed=0):
        text = space.format(architecture)
        for mark in "+,|>(":
            text = text.replace(mark, f" {mark}\t ")
        assert space.parse(f"\n{text}\r\n") == architecture


def test_nasbench201_numbers_are_those_of_the_benchmark() -> None:
    space = get_search_space("nasbench201")
    for number, cell in zip(OFFICIAL_NUMBERS, OFFICIAL_CELLS, strict=True):
        assert space.operation_names(space.parse(str(number)))[1:-1] == cell.split()
    everything = {space.parse(str(number)) for number in range(space.size)}
    assert len(everything) == space.size


def test_darts_reads_what_the_authors_program_prints() -> None:
    space = get_search_space("darts")
    text = space.format(space.parse(GENOTYPE))
    assert text == (
        "normal=[(sep_conv_3x3,0),(sep_conv_3x3,1),(skip_connect,0),(sep_conv_3x3,1),"
        "(skip_connect,0),(sep_conv_3x3,1),(sep_conv_3x3,0),(skip_connect,2)] "
        "reduce=[(max_pool_3x3,0),(max_pool_3x3,1),(max_pool_3x3,0),(skip_connect,2),"
        "(max_pool_3x3,0),(skip_connect,2),(avg_pool_3x3,0),(skip_connect,2)]"
    )


@pytest.mark.parametrize("names", [("matrix", "ops"), ("module_adjacency", "module_operations")])
def test_nasbench101_reads_matrix_and_operations(names: tuple[str, str]) -> None:
    space = get_search_space("nasbench101")
    cell = dict(zip(names, (MATRIX, OPS), strict=True))
    expected = space.parse("conv3x3-bn-relu,maxpool3x3|0>1,0>2,1>3,2>3")
    assert space.parse(json.dumps(cell)) == expected
    assert space.parse(str(cell)) == expected


def test_mobilenetv3_reads_configurations_of_once_for_all() -> None:
    space = get_search_space("mobilenetv3")
    stages = ["3-6,5-6,none,none", "3-6,5-6,7-6,none", "3-6,5-6,7-6,3-6"]
    expected = space.parse("|".join([*stages, *stages[:2]]))
    assert space.parse(json.dumps(CONFIGURATION, indent=2)) == expected
    assert space.parse(str(CONFIGURATION | {"r": [224]})) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nasbench201", "15625", "from 0 to 15624"),
        ("nasbench201", "9" * 5_000, "from 0 to 15624"),
        ("nasbench201", "१", "3 parts"),
        ("nasbench201", "|none~0|+|none~0|none~१|+|none~0|none~1|none~2|", "should read"),
        ("darts", GENOTYPE.replace("[2, 3, 4, 5]", "[3, 4, 5]"), "should read like"),
        ("darts", GENOTYPE.replace("1)", "१)"), "should read like"),
        ("mnasnet", "|".join(["e४k3l1s1"] * 7), "no operation"),
        ("mobilenetv3", json.dumps(CONFIGURATION | {"d": [1] * 5}), "2 to 4"),
        ("mobilenetv3", json.dumps(CONFIGURATION | {"ks": [9] * 20}), "no operation '9-6'"),
        ("mobilenetv3", '{"ks": null}', "20 whole numbers"),
        ("mobilenetv3", "{", "5 stages"),
        ("nasbench101", '{"ops": ["input"], "matrix": [[0]]}', "from 'input' to 'output'"),
        ("nasbench101", '{"ops": ["input", "output"], "matrix": [[0, 1]]}', "2 rows"),
        ("nasbench101", '{"ops": ["input", "output"], "matrix": [[0, 1], [1, 0]]}', "diagonal"),
        ("nasbench101", '{"ops": ["input", "output"], "matrix": [[0, 2], [0, 0]]}', "0 or 1"),
        ("nasbench101", "{" * 100_000, "should read like"),
        ("nasbench_graph", "0,१,2,1|gcn,gin,fc,cheb", "no operation '१'"),
    ],
)
def test_other_texts_are_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        get_search_space(name).parse(text)


PIECES = [
    *("|", "+", "~0", ",", "-", "_", "none", "nor_conv_3x3", "3-6", "e1k3l1s0", "0", "64-41414"),
    *("{", "}", "[", "]", '"ks"', "Genotype(", "\u0967", "\u2212", "1" * 5_000, "[" * 2_000, "\0"),
]


@pytest.mark.parametrize("name", search_space_names())
@given(text=st.text(max_size=30) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@settings(max_examples=100)
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    space = get_search_space(name)
    try:
        architecture = space.parse(text)
    except DiffusionNAGError:
        return
    assert space.parse(space.format(architecture)) == architecture
