"""MobileNetV3 whose input resolution is a node: strings, draws, and what depends on the resolution."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from conftest import RunCli

from diffusionnag import DiffusionNAGError, Generator, generate, get_search_space
from diffusionnag.generation.request import read_property, space_under
from diffusionnag.guidance import AnalyticProperty
from diffusionnag.spaces import ConditionedSpace

SPACE = get_search_space("mobilenetv3_resolution")
LAYERS = get_search_space("mobilenetv3")
TEXT = "|".join(["7-6,5-4,none,none"] * 5)


def test_strings_and_configurations_end_in_the_resolution() -> None:
    architecture = SPACE.parse(f"{TEXT} @ 192\n")
    assert SPACE.format(architecture) == f"{TEXT}@192"
    configuration = {"ks": [7, 5, 3, 3] * 5, "e": [6, 4, 3, 3] * 5, "d": [2] * 5, "r": [192]}
    assert SPACE.parse(json.dumps(configuration)) == architecture
    assert SPACE.parse(json.dumps(configuration | {"r": 192})) == architecture


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT, "its resolution is missing: '@224', say"),
        (f"{TEXT}@190", "node resolution: no operation '190'"),
        (f"{TEXT}@3-3", "node resolution cannot be 3-3"),
        (f"{TEXT}|3-3@192", "6"),
        (TEXT.replace("7-6", "192", 1) + "@192", "stage1.layer1: no operation '192'"),
        ('{"ks": [], "e": [], "d": []}', "`r` should be a multiple of 4 from 128 to 224"),
        ('{"ks": [], "e": [], "d": [], "r": 190}', "`r` should be a multiple of 4"),
    ],
)
def test_wrong_strings(text: str, message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        SPACE.parse(text)


def test_every_resolution_is_equally_likely_and_all_draws_are_valid() -> None:
    drawn = SPACE.sample(5_000, 0)
    assert all(map(SPACE.is_valid, drawn))
    first = np.array([architecture.operations[0] for architecture in drawn])
    counts = np.bincount(first - first.min())
    assert len(counts) == 25
    assert (abs(counts - 200) < 70).all()
    assert SPACE.size == 25 * LAYERS.size


def test_analytic_properties_are_those_under_the_resolution() -> None:
    architecture = SPACE.parse(f"{TEXT}@160")
    under = space_under("mobilenetv3", ["resolution=160"])
    expected = under.analytic_properties(LAYERS.parse(TEXT))
    assert SPACE.analytic_properties(architecture) == expected
    assert expected["macs"] < LAYERS.analytic_properties(LAYERS.parse(TEXT))["macs"]


@pytest.mark.parametrize("name", ["macs", "peak_memory"])
def test_analytic_properties_are_relaxed_exactly(name: str) -> None:
    judged = AnalyticProperty(SPACE, name)
    drawn = SPACE.sample(300, 5)
    values, _ = judged.predict(drawn)
    expected = [judged.to_standard(value) for value in values]
    assert abs(np.mean(expected)) < 0.2
    assert 0.8 < np.std(expected) < 1.2
    np.testing.assert_allclose(judged.normal_score(drawn), expected, atol=1e-4)
    x = torch.from_numpy(SPACE.encode(drawn[:2])).double()
    # Halfway between two architectures of one resolution each, the mean lies between theirs.
    both = x.clone()
    both[:, 0] = x[:, 0].mean(0)
    mean, std = judged.distribution(both)
    _, sure = judged.distribution(x)
    assert (sure < 1e-3).all()
    assert (std > 0.01).all()
    relaxed = both.requires_grad_()
    judged.standardised(relaxed).sum().backward()
    assert relaxed.grad is not None
    assert relaxed.grad.isfinite().all()
    assert mean.shape == (2,)


def test_predictors_take_the_resolution_from_the_node() -> None:
    drawn = SPACE.sample(40, 3)
    judged = read_property("imagenet_top1", SPACE)
    mean, std = judged.predict(drawn)
    assert isinstance(SPACE, ConditionedSpace)
    for row, architecture in enumerate(drawn[:8]):
        within, resolution = SPACE.split(architecture)
        under = read_property("imagenet_top1", LAYERS.under(resolution=resolution))
        expected_mean, expected_std = under.predict([within])
        assert mean[row] == pytest.approx(expected_mean[0], abs=1e-3)
        assert std[row] == pytest.approx(expected_std[0], abs=1e-3)
    assert read_property("latency:2080ti_64", SPACE).predict(drawn)[0].min() > 0


def test_a_predictor_without_resolution_is_none_of_this_space(run_main: RunCli) -> None:
    with pytest.raises(DiffusionNAGError, match="has no property 'svhn'"):
        read_property("svhn", SPACE)
    shown = run_main("info", "mobilenetv3_resolution").stdout
    assert "imagenet_top1" in shown
    assert "svhn" not in shown


def test_the_best_keep_limits_at_the_resolution_they_choose() -> None:
    result = generate(
        SPACE, 16, guides=["imagenet_top1"], limits=["macs<=100M", "peak_memory<=0.4M"], seconds=0.3
    )
    analytic = result.generated.analytic
    assert (analytic["macs"] <= 100).all()
    assert (analytic["peak_memory"] <= 0.4).all()
    assert {architecture.operations[0] for architecture in result.generated.architectures}


def test_the_shipped_generator_chooses_the_resolution_with_the_rest() -> None:
    generator = Generator.from_pretrained("mobilenetv3_resolution")
    drawn = generator.draw(500)
    assert all(map(SPACE.is_valid, drawn))
    assert len({architecture.operations[0] for architecture in drawn}) == 25
    limited = generator.sample(64, guide=AnalyticProperty(SPACE, "macs") <= 120.0)
    assert len(limited) == 64
    assert all(SPACE.analytic_properties(each)["macs"] <= 120 for each in limited.architectures)
