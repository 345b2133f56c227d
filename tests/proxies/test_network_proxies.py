"""Training-free proxies: their definitions on small networks, and the published values of cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from torch import nn

from diffusionnag import get_search_space
from diffusionnag.networks import Augmentation, ImageData, build_network, load_data
from diffusionnag.proxies import PROXIES, Untrained


def squared(outputs: torch.Tensor) -> torch.Tensor:
    return outputs.square().mean()


@pytest.fixture
def linear() -> tuple[nn.Linear, Untrained]:
    """A linear layer whose proxies can be worked out by hand."""
    layer = nn.Linear(3, 2, bias=False)
    torch.manual_seed(0)
    return layer, Untrained(layer, torch.randn(4, 3), squared)


def test_proxies_of_a_linear_layer(linear: tuple[nn.Linear, Untrained]) -> None:
    layer, untrained = linear
    weight, x = layer.weight.detach(), untrained.inputs
    outputs = x @ weight.T
    gradient = 2 * outputs.T @ x / outputs.numel()
    curvature = 2 * (gradient @ x.T) @ x / outputs.numel()
    expected = {
        "grad_norm": gradient.norm(),
        "snip": (weight * gradient).abs().sum(),
        "plain": (weight * gradient).sum(),
        "grasp": -(weight * curvature).sum(),
        "l2_norm": weight.norm(),
        "params": torch.tensor(6e-6),
        "flops": torch.tensor(6e-6),
        "synflow": weight.abs().sum().log(),
        "fisher": 3 * (2 * outputs.square() / outputs.numel()).square().mean(0).sum() / 2,
    }
    for name, value in expected.items():
        assert PROXIES[name](untrained) == pytest.approx(float(value), rel=1e-4), name


def test_channels_of_texts_are_those_of_convolutions() -> None:
    torch.manual_seed(0)
    layer, same = nn.Linear(3, 2, bias=False), nn.Conv1d(3, 2, 1, bias=False)
    same.weight.data = layer.weight.data[:, :, None]
    x = torch.randn(4, 5, 3)
    expected = PROXIES["fisher"](Untrained(same, x.transpose(1, 2), squared))
    assert PROXIES["fisher"](Untrained(layer, x, squared)) == pytest.approx(expected, rel=1e-4)


def test_nwot_counts_the_rectifiers_that_two_inputs_share() -> None:
    network = nn.Sequential(nn.ReLU())
    on = torch.tensor([[1.0, -1, 1, 1], [1, 1, -1, 1]])
    # Each agrees with itself at four places, with the other at two.
    assert PROXIES["nwot"](Untrained(network, on, squared)) == pytest.approx(np.log(4 * 4 - 2 * 2))
    assert np.isnan(PROXIES["nwot"](Untrained(nn.Linear(4, 2), on, squared)))


def test_jacov_is_highest_where_jacobians_differ() -> None:
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
    narrow, inputs = nn.Linear(8, 1), torch.randn(6, 8)
    scores = [PROXIES["jacov"](Untrained(each, inputs, squared)) for each in (wide, narrow)]
    assert scores[0] > scores[1]


def test_tokens_leave_some_proxies_undefined() -> None:
    network = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 2))
    untrained = Untrained(network, torch.randint(10, (5, 3)), squared)
    undefined = {name for name, proxy in PROXIES.items() if not np.isfinite(proxy(untrained))}
    without_blocks = {"expressivity", "progressivity", "trainability"}
    assert undefined == {"nwot", "jacov", "synflow", "zen"} | without_blocks


def test_a_network_is_left_as_it_was() -> None:
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
        nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1)),
        nn.Flatten(),
        nn.LazyLinear(2),
    )
    untrained = Untrained(network, torch.randn(4, 3, 6, 6), squared)
    network(untrained.inputs)
    before = {name: value.clone() for name, value in network.named_parameters()}
    for proxy in PROXIES.values():
        assert np.isfinite(proxy(untrained))
    assert all(torch.equal(before[name], value) for name, value in network.named_parameters())
    assert not any(layer._forward_hooks for layer in network.modules())


def test_values_of_cells_agree_with_the_published_ones(data_folder: Path) -> None:
    """NAS-Bench-Suite-Zero computed them on batches of its own, with initial weights of its own."""
    space = get_search_space("nasbench201")
    published = pandas.read_parquet(data_folder / "nasbench201_zero_cost.parquet")
    published = published[published["dataset"] == "cifar10"].sample(8, random_state=0)
    data = load_data(data_folder / "cifar10_test.parquet", space, subset=64)
    assert isinstance(data, ImageData)
    inputs, targets = data.batch(torch.arange(32), Augmentation(), torch.device("cpu"))
    ours: dict[str, list[float]] = {
        name: [] for name in ("synflow", "l2_norm", "nwot", "params", "flops")
    }
    for cell in published["arch"]:
        network = build_network(space, space.parse(cell))
        untrained = Untrained(network, inputs, lambda outputs: data.loss(outputs, targets, 0.0))
        for name, values in ours.items():
            values.append(PROXIES[name](untrained))
    np.testing.assert_allclose(ours["synflow"], published["synflow"], atol=0.5)
    np.testing.assert_allclose(ours["params"], published["params"], rtol=1e-6)
    # Published ones also count what batch norms and pools do.
    np.testing.assert_allclose(ours["flops"], published["flops"], atol=4)
    np.testing.assert_allclose(ours["l2_norm"], published["l2_norm"], rtol=0.02)
    assert np.corrcoef(ours["nwot"], published["nwot"])[0, 1] > 0.97
