"""Transfer where few data sets are known: their mean guides, whatever the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunCli
from PIL import Image

from diffusionnag import generate, get_search_space, search, transfer
from diffusionnag.generation.request import read_property, space_under
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.transfer import mean_over_datasets

SPACE = get_search_space("mobilenetv3")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of two classes of one grey image each."""
    for name in ("ants", "bees"):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new("RGB", (16, 16), "grey").save(tmp_path / "images" / name / "1.png")
    return tmp_path / "images"


def test_the_mean_joins_both_predictors_under_the_condition() -> None:
    space = space_under("mobilenetv3", ["resolution=160"])
    joined = mean_over_datasets(space)
    parts = [read_property(name, space) for name in ("imagenet_top1", "cifar10")]
    assert dict(joined.conditions) == {"resolution": 160}
    drawn = space.sample(50, 0)
    scores = [part.normal_score(drawn) for part in parts]
    np.testing.assert_allclose(joined.normal_score(drawn), np.mean(scores, axis=0), atol=1e-5)
    mean, std = joined.predict(drawn)
    np.testing.assert_allclose(mean, np.mean(scores, axis=0), atol=1e-5)
    # What the predictors do not know, and by how much they disagree.
    assert (std >= np.std(scores, axis=0)).all()
    assert dict(mean_over_datasets(SPACE).conditions) == {"resolution": 224}
    x = torch.from_numpy(space.encode(drawn[:3])).requires_grad_()
    joined.standardised(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_transfer_keeps_limits_and_says_that_images_do_not_count(
    images: Path, run_main: RunCli
) -> None:
    limits = ("macs<=150M", "peak_memory<=0.9M", "params<=5M", "latency:v100_32<=30%")
    asked = [word for limit in limits for word in ("--limit", limit)]
    shown = run_main(
        *("transfer", "mobilenetv3", "--data", images, "-n", "4", "--seconds", "0.2"), *asked
    )
    assert shown.returncode == 0
    assert "2 classes; the images are not looked at" in shown.stderr
    assert "the mean over known data sets (ImageNet and CIFAR-10)" in shown.stderr


def test_transfer_is_the_best_by_the_mean(images: Path) -> None:
    result = transfer("mobilenetv3", images, 8, limits=["macs<=200M"], seconds=0.2)
    same = generate(
        "mobilenetv3", 8, guides=[mean_over_datasets(SPACE)], limits=["macs<=200M"], seconds=0.2
    )
    assert result.generated.architectures == same.generated.architectures
    assert (result.generated.analytic["macs"] <= 200).all()
    small = within_limits(result.request.limits, SPACE.sample(4_000, 0))
    random = mean_over_datasets(SPACE).normal_score(small)
    assert result.generated.mean["transferred"].min() > random.max()


def test_a_search_starts_from_the_mean(images: Path) -> None:
    result = search(
        "mobilenetv3",
        evaluate=lambda architecture: SPACE.analytic_properties(architecture)["macs"],
        data=images,
        trials=1,
    )
    mean = mean_over_datasets(SPACE)
    assert (
        mean.normal_score(result.architectures)[0] > mean.normal_score(SPACE.sample(500, 0)).max()
    )
