"""One model of many properties: it is shipped once, and each property is a predictor by its name."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from diffusionnag import DiffusionNAGError, PropertyPredictor, get_search_space
from diffusionnag.artifacts.checkpoints import predicted_property, shipped_folder, shipped_names
from diffusionnag.predictors import JointPredictor, spearman

SPACE = get_search_space("gpt2")
SHAPES = SPACE.sample(600, 0)
PARAMS, MACS = (
    np.array([SPACE.analytic_properties(shape)[name] for shape in SHAPES])
    for name in ("params", "macs")
)


@pytest.fixture(scope="module")
def joint() -> JointPredictor:
    columns = {"latency:chip": MACS[:500], "size": -PARAMS[:500]}
    return JointPredictor.fit(SPACE, SHAPES[:500], columns, width=24, steps=300)


def test_each_property_is_learnt(joint: JointPredictor) -> None:
    for name, true in (("latency:chip", MACS), ("size", -PARAMS)):
        mean, std = joint.predictor(name).predict(SHAPES[500:])
        assert spearman(mean, true[500:]) > 0.9
        assert (std > 0).all()


def test_a_shipped_one_gives_predictors_by_name(
    joint: JointPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joint.quality = {"size": {"Spearman": 0.5}}
    folder = tmp_path / "predictors" / "joint" / "gpt2"
    joint.save(folder)
    monkeypatch.setattr("diffusionnag.artifacts.checkpoints.SHIPPED_FOLDER", tmp_path)
    assert shipped_names("predictors", "gpt2") == ["gpt2-latency_chip", "gpt2-size"]
    assert shipped_names("predictors", "mnasnet") == []
    assert shipped_folder("predictors", "gpt2-size") == folder
    assert predicted_property("gpt2-latency_chip") == "latency:chip"
    for name in ("latency:chip", "size"):
        loaded = PropertyPredictor.from_pretrained(name, search_space=SPACE)
        assert loaded.property_name == name
        expected = joint.predictor(name).predict(SHAPES[:20])
        np.testing.assert_array_equal(loaded.predict(SHAPES[:20]), expected)
    assert PropertyPredictor.from_pretrained("gpt2-size").about.quality == {"Spearman": 0.5}
    with pytest.raises(DiffusionNAGError, match="no model"):
        PropertyPredictor.from_pretrained("height", search_space=SPACE)


def test_one_of_them_can_be_saved_alone(joint: JointPredictor, tmp_path: Path) -> None:
    joint.predictor("size").save_pretrained(tmp_path)
    loaded = PropertyPredictor.from_pretrained(tmp_path)
    expected = joint.predictor("size").predict(SHAPES[:20])
    np.testing.assert_array_equal(loaded.predict(SHAPES[:20]), expected)


def test_a_single_column_is_refused() -> None:
    with pytest.raises(DiffusionNAGError, match="two columns"):
        JointPredictor.fit(SPACE, SHAPES, {"size": PARAMS}, width=8, steps=1)


def test_deviations_are_those_of_measurements(joint: JointPredictor) -> None:
    noisy = JointPredictor(joint.search_space, copy.deepcopy(joint.ensemble), joint.targets)
    shaken = MACS * np.exp(np.random.default_rng(0).normal(0, 0.2, len(MACS)))
    noisy.set_deviations(SHAPES, {"latency:chip": shaken, "size": -PARAMS})
    for name, least, most in (("latency:chip", 1.5, 100.0), ("size", 0.0, 1.5)):
        before, after = (each.predictor(name).predict(SHAPES)[1] for each in (joint, noisy))
        assert least < np.median(after / before) < most
    mean, std = noisy.predictor("latency:chip").predict(SHAPES)
    assert 0.55 < np.mean(np.abs(shaken - mean) < std) < 0.85
