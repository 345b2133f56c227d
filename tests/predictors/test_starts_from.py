"""A predictor that starts from what other properties tell of architectures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from diffusionnag import DiffusionNAGError, PropertyPredictor, generate, get_search_space
from diffusionnag.predictors import CountedProperty, spearman

SPACE = get_search_space("nasbench201")
CELLS = list(dict.fromkeys(SPACE.sample(600, seed=0)))
LABELLED, OTHERS = CELLS[:20], CELLS[100:]
CIFAR10 = PropertyPredictor.from_pretrained("cifar10", search_space=SPACE)
NOISE = np.random.default_rng(0).normal(0, 0.3, len(CELLS))
VALUES = -CIFAR10.normal_score(CELLS) + NOISE
"""A property that is nearly the opposite of accuracy: what is known misleads until it is learnt from."""


def fitted(*known: PropertyPredictor) -> PropertyPredictor:
    return PropertyPredictor(SPACE, "opposite", starts_from=known).fit(LABELLED, VALUES[:20])


def rank_correlation(predictor: PropertyPredictor) -> float:
    return spearman(predictor.normal_score(OTHERS), VALUES[100:])


def test_what_is_known_is_learnt_from_whichever_way_it_counts() -> None:
    informed, plain = rank_correlation(fitted(CIFAR10)), rank_correlation(fitted())
    assert informed > 0.9
    assert informed > plain + 0.05


def test_what_tells_nothing_does_little_harm() -> None:
    useless = PropertyPredictor(SPACE, "useless").fit(
        CELLS, np.random.default_rng(1).normal(size=len(CELLS))
    )
    assert rank_correlation(fitted(useless)) > rank_correlation(fitted()) - 0.1


def test_it_is_saved_with_what_it_starts_from(tmp_path: Path) -> None:
    member = PropertyPredictor.from_pretrained("latency:pixel3", search_space=SPACE)
    predictor = fitted(CIFAR10, member)
    predictor.save_pretrained(tmp_path / "saved")
    moved = (tmp_path / "saved").rename(tmp_path / "moved")
    assert "starts from | cifar10, latency:pixel3" in (moved / "README.md").read_text()
    loaded = PropertyPredictor.from_pretrained(moved)
    assert [known.property_name for known in loaded.starts_from] == ["cifar10", "latency:pixel3"]
    for ours, theirs in zip(predictor.predict(OTHERS), loaded.predict(OTHERS), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    (moved / "starts_from" / "1").rename(tmp_path / "other")
    with pytest.raises(DiffusionNAGError, match="lacks the predictor of latency:pixel3"):
        PropertyPredictor.from_pretrained(moved)
    shutil.copytree(moved / "starts_from" / "0", moved / "starts_from" / "1")
    with pytest.raises(DiffusionNAGError, match="lacks the predictor of latency:pixel3"):
        PropertyPredictor.from_pretrained(moved)


def test_two_that_differ_by_their_weights_alone_are_told_apart(tmp_path: Path) -> None:
    raised, lowered = (
        PropertyPredictor(SPACE, "size").fit(CELLS[:20], values)
        for values in (VALUES[:20], -VALUES[:20])
    )
    fitted(raised, lowered).save_pretrained(tmp_path)
    first, second = (tmp_path / "starts_from" / place for place in "01")
    first.rename(tmp_path / "aside")
    second.rename(first)
    (tmp_path / "aside").rename(second)
    with pytest.raises(DiffusionNAGError, match="lacks the predictor of size"):
        PropertyPredictor.from_pretrained(tmp_path)


def test_others_may_ask_what_it_starts_from_for_other_conditions() -> None:
    space = get_search_space("mobilenetv3")
    accuracy = PropertyPredictor.from_pretrained("imagenet_top1", search_space=space)
    networks = space.sample(30, 0)
    values = np.array([space.analytic_properties(each)["params"] for each in networks])
    predictor = PropertyPredictor(space, "params", starts_from=[accuracy.under(resolution=160)])
    before = predictor.fit(networks, values).predict(networks)[0]
    accuracy.under(resolution=224)
    np.testing.assert_array_equal(predictor.predict(networks)[0], before)


def test_it_guides_samples() -> None:
    predictor = fitted(CIFAR10)
    result = generate(SPACE, 32, guides=[predictor], method="sample")
    reached = predictor.normal_score(result.generated.architectures).mean()
    assert reached > predictor.normal_score(SPACE.sample(500, 0)).mean() + 1


def test_what_it_cannot_start_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match="starts from nothing"):
        PropertyPredictor(SPACE, "size", starts_from=[CIFAR10], model="ensemble")
    with pytest.raises(DiffusionNAGError, match="clean architectures only"):
        PropertyPredictor(SPACE, "size", starts_from=[CIFAR10], noise_aware=True)
    other = get_search_space("transnas")
    with pytest.raises(DiffusionNAGError, match="cifar10 is of nasbench201, not of transnas"):
        PropertyPredictor(other, "size", starts_from=[CIFAR10])
    counted = PropertyPredictor(
        SPACE, "size", starts_from=[CountedProperty(SPACE, "activation_memory")]
    )
    counted.fit(LABELLED, VALUES[:20])
    with pytest.raises(
        DiffusionNAGError, match="starts from activation_memory, which cannot be saved"
    ):
        counted.save_pretrained(tmp_path / "never")
    assert not (tmp_path / "never").exists()
