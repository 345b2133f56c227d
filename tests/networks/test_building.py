"""Networks: as many parameters and multiply-adds as published, and outputs of the right shape."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from test_cost import DATA_SETS, OFA_NETWORKS, OFFICIAL_CELLS
from torch import nn

from diffusionnag import DiffusionNAGError, SearchSpace, get_search_space
from diffusionnag.networks import (
    Regularised,
    build_network,
    buildable,
    count_network,
    count_properties,
    task_of,
)
from diffusionnag.spaces import Cost, ImageClassification, task_as_json, task_from_json
from diffusionnag.spaces.layers import Cell
from diffusionnag.spaces.nasbench201 import nasbench201_cell

NASBENCH201 = get_search_space("nasbench201")
SPACES = [
    get_search_space(name)
    for name in ("nasbench201", "mobilenetv3", "mnasnet", "transnas", "nasbench_macro")
]


def of_space(spaces: list[SearchSpace]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("space", spaces, ids=lambda space: space.name)


def in_millions(cost: Cost) -> dict[str, float]:
    return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}


@pytest.mark.parametrize("cell", OFFICIAL_CELLS)
def test_nasbench201_counts_are_the_official_ones(cell: str) -> None:
    architecture = NASBENCH201.build(["input", *cell.split(), "output"])
    family = NASBENCH201.networks
    for (resolution, classes), official in zip(DATA_SETS, OFFICIAL_CELLS[cell], strict=True):
        network = build_network(NASBENCH201, architecture, classes=classes)
        counted = count_network(
            network, ImageClassification(classes, resolution), family.convention
        )
        assert tuple(in_millions(counted).values()) == official


@pytest.mark.parametrize(("stages", "resolution", "width", "parameters", "macs"), OFA_NETWORKS)
def test_mobilenetv3_counts_are_those_of_the_authors_package(
    stages: list[list[tuple[int, int]]],
    resolution: int,
    width: float,
    parameters: int,
    macs: int,
) -> None:
    space = get_search_space("mobilenetv3")
    slots = [[f"{kernel}-{expansion}" for kernel, expansion in stage] for stage in stages]
    text = "|".join(",".join([*stage, *["none"] * (4 - len(stage))]) for stage in slots)
    network = build_network(space, space.parse(text), width=width)
    assert count_network(network, ImageClassification(1000, resolution)) == Cost(parameters, macs)


def test_mnasnet_counts_are_those_of_the_benchmark(data_folder: Path) -> None:
    space = get_search_space("mnasnet")
    columns = ["arch", "params_m", "macs_m"]
    rows = pq.read_table(data_folder / "mnasnet_imagenet.parquet", columns=columns).to_pylist()
    # The others follow from these: the analytic counts, equal to the table, are equal to networks.
    for row in rows[:: len(rows) // 12]:
        network = build_network(space, space.parse(row["arch"]))
        counted = in_millions(
            count_network(network, space.networks.task, space.networks.convention)
        )
        assert np.float32(counted["params"]) == np.float32(row["params_m"])
        assert np.float32(counted["macs"]) == np.float32(row["macs_m"])


@of_space(SPACES)
def test_analytic_counts_are_those_of_the_networks(space: SearchSpace) -> None:
    family = space.networks
    for architecture in space.sample(20 if space is NASBENCH201 else 3, seed=1):
        network = build_network(space, architecture)
        counted = count_network(network, family.task, family.convention)
        assert in_millions(counted).items() <= space.analytic_properties(architecture).items()


@of_space(SPACES)
def test_networks_classify_and_learn(space: SearchSpace) -> None:
    resolution = space.networks.smallest
    for architecture in space.sample(3, seed=2):
        network = build_network(space, architecture, classes=7)
        logits = network(torch.randn(2, 3, resolution, resolution))
        assert logits.shape == (2, 7)
        logits.square().sum().backward()
        last = list(network.parameters())[-1]
        assert last.grad is not None
        assert torch.isfinite(last.grad).all()


def test_a_cell_computes_what_its_string_says() -> None:
    x = torch.randn(2, 4, 6, 6)
    # Map 1 is x, map 2 is the average of map 1, map 3 is x + map 1 + map 2.
    operations = ["skip_connect", "none", "avg_pool_3x3", *["skip_connect"] * 3]
    ones = torch.ones(1, 1, 6, 6)
    inside = torch.nn.functional.avg_pool2d(ones, 3, 1, 1)
    average = torch.nn.functional.avg_pool2d(x, 3, 1, 1) / inside
    torch.testing.assert_close(nasbench201_cell(operations, 4)(x), 2 * x + average)


@of_space(SPACES)
def test_seeds_decide_on_the_initial_weights(space: SearchSpace) -> None:
    architecture = space.sample(1, seed=0)[0]
    first, again, other = (
        torch.cat([p.flatten() for p in build_network(space, architecture, seed=s).parameters()])
        for s in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_impossible_networks_are_one_line() -> None:
    cell = NASBENCH201.sample(1, seed=0)[0]
    with pytest.raises(DiffusionNAGError, match="0 classes"):
        build_network(NASBENCH201, cell, classes=0)
    with pytest.raises(DiffusionNAGError, match=r"of width 1\.2"):
        build_network(NASBENCH201, cell, width=1.2)
    with pytest.raises(DiffusionNAGError, match="is not valid"):
        build_network(get_search_space("mnasnet"), cell)


def test_the_example_of_counting_holds() -> None:
    example = doctest.DocTestFinder().find(
        count_network,
        globs={
            "count_network": count_network,
            "build_network": build_network,
            "get_search_space": get_search_space,
        },
    )
    assert [doctest.DocTestRunner().run(each).failed for each in example] == [0]


PUBLISHED_CELLS = {
    # All that public programs and notebooks state which print records of the benchmark: three.
    # A record that a converter of NASLib's quotes.
    "maxpool3x3,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,maxpool3x3"
    "|0>1,0>3,1>2,1>4,1>5,2>6,3>4,4>5,5>6": 3_468_426,
    # The cell of the benchmark's README, and the count that its program prints for it.
    "conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3"
    "|0>1,0>2,0>3,0>5,1>6,2>6,3>4,4>6,5>6": 2_694_282,
    # The first cell of its records.
    "conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu"
    "|0>1,0>4,0>5,1>2,2>3,2>6,3>5,4>5,5>6": 8_555_530,
}


@pytest.mark.parametrize(("cell", "parameters"), PUBLISHED_CELLS.items())
def test_nasbench101_has_the_published_parameters(cell: str, parameters: int) -> None:
    space = get_search_space("nasbench101")
    assert round(count_properties(space, space.parse(cell))["params"] * 1e6) == parameters


def test_nasbench101_builds_every_cell_and_uneven_channels() -> None:
    space = get_search_space("nasbench101")
    # A direct edge alone is projected; three ends share 128 channels as 43, 43 and 42.
    uneven = "conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3|0>1,0>4,1>2,1>3,1>4,2>3,2>4,3>4"
    for text in ("|0>1", uneven):
        network = build_network(space, space.parse(text), classes=3, resolution=8)
        assert network(torch.randn(2, 3, 8, 8)).shape == (2, 3)
    built, counts = buildable(space, space.sample(6, 1))
    assert len(built) == 6
    assert counts["params"].min() < 2 < counts["params"].max()


P_DARTS = (
    "normal=[(skip_connect,0),(dil_conv_3x3,1),(skip_connect,0),(sep_conv_3x3,1),"
    "(sep_conv_3x3,1),(sep_conv_3x3,3),(sep_conv_3x3,0),(dil_conv_5x5,4)] "
    "reduce=[(avg_pool_3x3,0),(sep_conv_5x5,1),(sep_conv_3x3,0),(dil_conv_5x5,2),"
    "(max_pool_3x3,0),(dil_conv_3x3,1),(dil_conv_3x3,1),(dil_conv_5x5,3)]"
)


DARTS_V2 = (
    "normal=[(sep_conv_3x3,0),(sep_conv_3x3,1),(sep_conv_3x3,0),(sep_conv_3x3,1),"
    "(sep_conv_3x3,1),(skip_connect,0),(skip_connect,0),(dil_conv_3x3,2)] "
    "reduce=[(max_pool_3x3,0),(max_pool_3x3,1),(skip_connect,2),(max_pool_3x3,1),"
    "(max_pool_3x3,0),(skip_connect,2),(skip_connect,2),(max_pool_3x3,1)]"
)


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_darts_has_the_parameters_of_the_paper() -> None:
    space = get_search_space("darts")
    with torch.device("meta"):
        cifar, imagenet = (
            build_network(space, space.parse(DARTS_V2), classes=classes, resolution=resolution)
            for classes, resolution in ((10, 32), (1000, 224))
        )
    assert round(_parameters(cifar) / 1e6, 1) == 3.3
    assert round(_parameters(imagenet) / 1e6, 1) == 4.7


def test_darts_trains_with_a_second_head_and_dropped_paths() -> None:
    space = get_search_space("darts")
    network = build_network(space, space.parse(P_DARTS))
    assert isinstance(network, Regularised)
    alone = _parameters(network)
    network.add_auxiliary_head()
    # The authors of P-DARTS state 3,910,224 with the head (chenxin061/pdarts, issue 7).
    assert _parameters(network) == 3_910_224
    x = torch.randn(2, 3, 32, 32)
    logits, auxiliary = network(x)
    assert logits.shape == auxiliary.shape == (2, 10)
    network.drop_paths(0.5)
    torch.manual_seed(0)
    with torch.no_grad():
        assert not torch.equal(network(x)[0], network(x)[0])
        assert torch.equal(network.eval()(x), network(x)), "nothing is dropped when it is used"
    network.remove_auxiliary_head()
    assert _parameters(network) == alone


def test_darts_has_the_parameters_that_the_authors_of_p_darts_count() -> None:
    space = get_search_space("darts")
    counted = count_properties(space, space.parse(P_DARTS))
    assert round(counted["params"] * 1e6) == 3_433_798
    assert round(counted["macs"]) == 532, "in millions"
    (drawn,) = space.sample(1, 3)
    network = build_network(space, drawn, classes=3, resolution=8)
    assert network(torch.randn(2, 3, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"width": -1}, "`width` of the task is -1; it must be above 0"),
        ({"width": "nan"}, "`width` of the task is nan; it must be above 0"),
        ({"width": "wide"}, "`width` of the task should be a number, not 'wide'"),
        ({"classes": 3.7}, "`classes` of the task should be a whole number, not 3.7"),
        ({"classes": 0}, "`classes` of the task is 0; it must be at least 1"),
        ({"cells": float("inf")}, "`cells` of the task should be a whole number, not inf"),
    ],
)
def test_a_number_that_no_task_has_is_named(entry: dict[str, object], message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=re.escape(message)):
        task_from_json({"kind": "image_classification", **entry})


def test_smaller_networks_of_cells_have_fewer_of_them_and_fewer_channels() -> None:
    (cell,) = NASBENCH201.sample(1, seed=0)
    task = task_of(NASBENCH201, resolution=8, width=0.25, cells=2)
    network = build_network(NASBENCH201, cell, task=task)
    assert sum(isinstance(module, Cell) for module in network.modules()) == 3 * 2
    assert network.get_parameter("0.0.weight").shape == (4, 3, 3, 3)
    assert network(torch.randn(2, 3, 8, 8)).shape == (2, 10)
    assert task_from_json(task_as_json(task)) == task
    with pytest.raises(DiffusionNAGError, match="no cells to choose"):
        task_of(get_search_space("mnasnet"), cells=2)
