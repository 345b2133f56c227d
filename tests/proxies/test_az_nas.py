"""AZ-NAS: what blocks of known features and Jacobians score, and how ranks are joined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diffusionnag import get_search_space
from diffusionnag.images import Pixels
from diffusionnag.networks import ImageData, OwnFit, load_data
from diffusionnag.proxies import ProxySettings, Untrained, score_architecture
from diffusionnag.proxies.az_nas import az_nas, expressivity, progressivity, trainability


class Block(nn.Module):
    """What a function makes of its input; a layer inside makes it a block."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.layer = function, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def network(*functions: Callable[[Tensor], Tensor]) -> Untrained:
    torch.manual_seed(0)
    blocks = nn.Sequential(Independent(), *map(Block, functions))
    return Untrained(blocks, torch.randn(64, 2, 8, 8), lambda outputs: outputs.mean())


class Independent(nn.Module):
    """Passes two channels of independent noise on, and has something to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.shift = nn.Identity(), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.shift


def test_expressivity_is_the_entropy_of_directions() -> None:
    def one_direction(x: Tensor) -> Tensor:
        return x[:, :1].expand_as(x)

    both = expressivity(network(lambda x: 2 * x))
    assert both == pytest.approx(2 * np.log(2), abs=0.01)
    assert expressivity(network(one_direction)) == pytest.approx(np.log(2), abs=0.01)
    assert progressivity(network(one_direction)) == pytest.approx(-np.log(2), abs=0.01)
    # More channels of other noise are more directions.
    wider = network(lambda x: torch.cat([x, x.roll(1, 0)], dim=1), torch.clone)
    assert progressivity(wider) == pytest.approx(0, abs=0.01)
    assert expressivity(wider) == pytest.approx(5 * np.log(2), abs=0.02)


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0])
def test_trainability_is_lost_where_gradients_grow_or_vanish(factor: float) -> None:
    expected = 2 - factor - 1 / factor
    assert trainability(network(lambda x: factor * x)) == pytest.approx(expected, abs=0.15)
    # Pooled places are compared as channels; each of the four passes a quarter back.
    pooled = network(lambda x: factor * 4 * nn.functional.avg_pool2d(x, 2))
    assert trainability(pooled) == pytest.approx(2 - 2 * factor - 1 / (2 * factor), abs=0.4)


def test_a_block_that_does_nothing_is_not_trainable() -> None:
    passing, blocking = trainability(network(torch.clone)), trainability(network(lambda x: 0 * x))
    assert passing == blocking < -1e5


def test_what_has_no_blocks_has_no_views() -> None:
    linear = Untrained(nn.Linear(3, 2), torch.randn(4, 3), lambda outputs: outputs.mean())
    assert np.isnan([view(linear) for view in (expressivity, progressivity, trainability)]).all()


def test_a_network_that_one_view_ranks_last_falls_behind() -> None:
    nan = np.nan
    views = {"a": np.array([3.0, 2, 1, nan]), "b": np.array([1.0, 2, 3, 4])}
    third = np.log(1 / 3)
    np.testing.assert_allclose(az_nas(views), [third, 2 * np.log(2 / 3), third, nan])


def images(classes: int, resolution: int) -> ImageData:
    values = np.random.default_rng(0).integers(256, size=(4, 3, resolution, resolution))
    pixels = Pixels(values.astype(np.uint8), np.arange(4))
    names = tuple(map(str, range(classes)))
    return ImageData.of_pixels(names, pixels, pixels, resolution)


@pytest.mark.parametrize("name", ["nasbench201", "mobilenetv3", "darts", "gpt2"])
def test_networks_of_images_and_of_texts_have_all_views(name: str, tmp_path: Path) -> None:
    space = get_search_space(name)
    if name == "gpt2":
        text = tmp_path / "text.txt"
        text.write_text("So shaken as we are, so wan with care. " * 20)
        data = load_data(text, space, context=8)
    else:
        data = images(10, 32)
    assert not isinstance(data, OwnFit)
    settings = ProxySettings(("az_nas",), batch=2)
    (architecture,) = space.sample(1, 3)
    scores = score_architecture(space, architecture, data, settings)
    assert list(scores) == ["expressivity", "progressivity", "trainability", "flops"]
    assert np.isfinite(list(scores.values())).all()
    # The draws are the same whichever proxy asks first.
    settings = ProxySettings(("trainability",), batch=2)
    alone = score_architecture(space, architecture, data, settings)
    assert alone["trainability"] == scores["trainability"]
