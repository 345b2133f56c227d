"""Counts of parameters and MACs against the figures that the benchmarks and authors publish."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionnag.spaces import Cost, Counter
from diffusionnag.spaces.gpt2 import GPT2, gpt2_cost
from diffusionnag.spaces.mnasnet import mnasnet_cost
from diffusionnag.spaces.mobilenetv3 import MobileNetV3, mobilenetv3_cost, mobilenetv3_peak_memory
from diffusionnag.spaces.nasbench201 import nasbench201_cost
from diffusionnag.spaces.nasbench_macro import NASBenchMacro, nasbench_macro_cost

Stages = list[list[tuple[int, float]]]

# Official entries 0, 11 and 284 of NATS-tss-v1_0-3ffb9-simple (Dong & Yang): `params` and `flop`
# in millions on CIFAR-10, CIFAR-100 and ImageNet16-120.
OFFICIAL_CELLS = {
    "avg_pool_3x3 nor_conv_1x1 skip_connect nor_conv_1x1 skip_connect skip_connect": (
        (0.129306, 15.64737),
        (0.135156, 15.65322),
        (0.136456, 3.91948),
    ),
    "nor_conv_3x3 nor_conv_3x3 avg_pool_3x3 none nor_conv_3x3 avg_pool_3x3": (
        (0.802426, 113.95137),
        (0.808276, 113.95722),
        (0.809576, 28.49548),
    ),
    "skip_connect skip_connect skip_connect none nor_conv_1x1 none": (
        (0.101306, 11.71521),
        (0.107156, 11.72106),
        (0.108456, 2.93644),
    ),
}
# Resolution and classes of the three data sets.
DATA_SETS = ((32, 10), (32, 100), (16, 120))

# Sub-networks that the authors' package ofa 0.1.0 builds (OFAMobileNetV3.get_active_subnet):
# stages, resolution, width, parameters, and the weights its layers apply in a forward pass.
OFA_SMALLEST: Stages = [[(3, 3)] * 2] * 5
OFA_LARGEST: Stages = [[(7, 6)] * 4] * 5
OFA_MIXED: Stages = [
    [(3, 6), (3, 6), (3, 3)],
    [(3, 4), (5, 3), (5, 4), (3, 6)],
    [(3, 6), (7, 4), (5, 4), (5, 4)],
    [(7, 6), (5, 6), (7, 3)],
    [(3, 6), (7, 3), (3, 6)],
]
OFA_NETWORKS = (
    (OFA_SMALLEST, 224, 1.0, 3_410_792, 121_278_672),
    (OFA_LARGEST, 224, 1.0, 7_664_760, 566_170_656),
    (OFA_SMALLEST, 224, 1.2, 4_602_456, 193_078_200),
    (OFA_LARGEST, 224, 1.2, 10_701_632, 843_101_040),
    (OFA_MIXED, 128, 1.2, 7_336_080, 157_798_272),
)

# Table 1 of Howard et al., "Searching for MobileNetV3", ICCV 2019.
MOBILENETV3_LARGE: Stages = [
    [(3, 4), (3, 3)],
    [(5, 3)] * 3,
    [(3, 6), (3, 2.5), (3, 2.3), (3, 2.3)],
    [(3, 6)] * 2,
    [(5, 6)] * 3,
]

layers = st.tuples(st.sampled_from((3, 5, 7)), st.sampled_from((3, 4, 6)))
shallow_stages = st.lists(st.lists(layers, min_size=2, max_size=3), min_size=5, max_size=5)
stage_indices = st.integers(0, 4)
layer_indices = st.integers(0, 1)


def replaced(stages: Stages, stage: int, new: list[tuple[int, float]]) -> Stages:
    return [*stages[:stage], new, *stages[stage + 1 :]]


def assert_costs_more(larger: Stages, smaller: Stages) -> None:
    large, small = mobilenetv3_cost(larger), mobilenetv3_cost(smaller)
    assert large.parameters > small.parameters
    assert large.macs > small.macs


def test_costs_add_up() -> None:
    assert sum([Cost(1, 10), Cost(2, 20)], Cost()) == Cost(3, 30)


def test_convolution_counts_biases_and_normalised_elements_only_if_the_convention_does() -> None:
    weights = 8 // 2 * 6 * 3**2
    plain = Counter().convolution(8, 6, 3, 5, groups=2, bias=True)
    full = Counter(bias=True, norm=4).convolution(8, 6, 3, 5, groups=2, bias=True)
    assert plain == Cost(weights + 6 + 2 * 6, weights * 25)
    assert full == plain + Cost(macs=(6 + 4 * 6) * 25)


@pytest.mark.parametrize("cell", OFFICIAL_CELLS)
def test_nasbench201_equals_official_entries(cell: str) -> None:
    for (resolution, classes), official in zip(DATA_SETS, OFFICIAL_CELLS[cell], strict=True):
        cost = nasbench201_cost(cell.split(), resolution=resolution, classes=classes)
        assert (cost.parameters / 1e6, cost.macs / 1e6) == official


def test_nasbench201_equals_published_figures_of_the_largest_cell() -> None:
    cost = nasbench201_cost(["nor_conv_3x3"] * 6)
    assert cost.parameters == 1_531_546
    assert round(cost.macs / 1e6, 2) == 220.12


@pytest.mark.parametrize(("stages", "resolution", "width", "parameters", "macs"), OFA_NETWORKS)
def test_mobilenetv3_equals_networks_of_the_authors_package(
    stages: Stages, resolution: int, width: float, parameters: int, macs: int
) -> None:
    assert mobilenetv3_cost(stages, resolution=resolution, width=width) == Cost(parameters, macs)


def test_mobilenetv3_equals_the_measured_table(data_folder: Path) -> None:
    rows = pq.read_table(data_folder / "mobilenetv3_ofa_imagenet.parquet").to_pylist()
    space = MobileNetV3()
    counted = [(row, space.stages(space.parse(row["arch"]))) for row in rows]
    large = [(row, stages) for row, stages in counted if row["resolution"] == 224]
    assert len(large) == 2_373
    for row, stages in large:
        assert mobilenetv3_cost(stages) == Cost(row["params"], row["macs"])
    small = [(row, stages) for row, stages in counted if row["resolution"] < 224]
    assert len(small) == 2_610
    for row, stages in small:
        peak = mobilenetv3_peak_memory(stages, resolution=row["resolution"])
        assert peak == row["peak_memory_elements"]


def test_mobilenetv3_with_the_layers_of_mobilenetv3_large_has_its_published_cost() -> None:
    cost = mobilenetv3_cost(MOBILENETV3_LARGE)
    biases_of_the_layer_before_the_classifier = 1280
    torchvision_parameters = 5_483_032
    assert cost.parameters + biases_of_the_layer_before_the_classifier == torchvision_parameters
    assert cost.macs / 1e6 == pytest.approx(219, rel=0.015)


@given(stages=shallow_stages, stage=stage_indices, layer=layers)
def test_mobilenetv3_cost_grows_with_depth(
    stages: Stages, stage: int, layer: tuple[int, float]
) -> None:
    assert_costs_more(replaced(stages, stage, [*stages[stage], layer]), stages)


@given(stages=shallow_stages, stage=stage_indices, index=layer_indices)
def test_mobilenetv3_cost_grows_with_kernel_and_expansion(
    stages: Stages, stage: int, index: int
) -> None:
    kernel, expansion = stages[stage][index]
    for wider in ((kernel + 2, expansion), (kernel, expansion + 1)):
        changed = [*stages[stage][:index], wider, *stages[stage][index + 1 :]]
        assert_costs_more(replaced(stages, stage, changed), stages)


def test_mnasnet_equals_the_benchmark_table(data_folder: Path) -> None:
    table = pq.read_table(
        data_folder / "mnasnet_imagenet.parquet", columns=["arch", "params_m", "macs_m"]
    ).to_pydict()
    costs = [mnasnet_cost(mnasnet_blocks(text)) for text in table["arch"]]
    for column, counts in (
        ("params_m", [cost.parameters for cost in costs]),
        ("macs_m", [cost.macs for cost in costs]),
    ):
        np.testing.assert_array_equal(
            np.float32(np.array(counts) / 1e6), np.array(table[column], dtype=np.float32)
        )


def mnasnet_blocks(text: str) -> list[tuple[int, int, int, int]]:
    quadruples = re.findall(r"e(\d)k(\d)l(\d)s(\d)", text)
    return [(int(e), int(k), int(depth), int(gated)) for e, k, depth, gated in quadruples]


def test_gpt2_counts_are_those_of_the_whole_table(data_folder: Path) -> None:
    table = pq.read_table(data_folder / "hwgpt_s.parquet", columns=["arch", "params", "macs"])
    space = GPT2()
    costs = [gpt2_cost(space.shape(space.parse(text))) for text in table["arch"].to_pylist()]
    assert [cost.parameters for cost in costs] == table["params"].to_pylist()
    assert [8 * cost.macs for cost in costs] == table["macs"].to_pylist()  # of eight texts


def test_nasbench_macro_counts_are_those_of_the_whole_table(data_folder: Path) -> None:
    table = pq.read_table(
        data_folder / "nasbench_macro.parquet", columns=["arch", "params", "flops"]
    )
    space = NASBenchMacro()
    blocks = [space.operation_names(space.parse(text)) for text in table["arch"].to_pylist()]
    costs = list(map(nasbench_macro_cost, blocks))
    assert [cost.parameters for cost in costs] == table["params"].to_pylist()
    assert [cost.macs for cost in costs] == table["flops"].to_pylist()
