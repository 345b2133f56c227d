"""One model of many properties: it is shipped once, and each property is a predictor by its name."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusionnag import DiffusionNAGError, PropertyPredictor, get_search_space
from diffusionnag.artifacts.checkpoints import predicted_property, shipped_folder, shipped_names
from diffusionnag.guidance import Guidance, limit, maximize
from diffusionnag.predictors import JointPredictor, spearman
from diffusionnag.spaces import Architecture

SPACE = get_search_space("gpt2")
SHAPES = SPACE.sample(600, 0)
COSTS = {
    name: np.array([SPACE.analytic_properties(shape)[name] for shape in SHAPES])
    for name in ("params", "macs")
}
PARAMS, MACS = COSTS.values()


@pytest.fixture(scope="module")
def joint() -> JointPredictor:
    columns = {"latency:chip": MACS[:500], "size": -PARAMS[:500]}
    return JointPredictor.fit(
        SPACE, SHAPES[:500], columns, width=24, steps=300, magnitude=0.8, knots=129
    )


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
    np.testing.assert_allclose(loaded.predict(SHAPES[:20]), expected, rtol=1e-5)


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


def test_what_is_remembered_is_what_was_asked(joint: JointPredictor) -> None:
    names = ("latency:chip", "size")
    latency, size = (joint.predictor(name) for name in names)
    alone = {name: copy.deepcopy(joint).predictor(name) for name in names}
    for shapes in (SHAPES[:20], SHAPES[20:40], SHAPES[:7], SHAPES[:20]):
        for predictor in (latency, size):
            expected = alone[predictor.property_name].predict(shapes)
            np.testing.assert_array_equal(predictor.predict(shapes), expected)
    x = torch.from_numpy(SPACE.encode(SHAPES[:5]))
    before = latency.standardised(x)
    x[:] = torch.from_numpy(SPACE.encode(SHAPES[5:10]))
    assert not torch.allclose(latency.standardised(x), before)


def test_what_was_asked_without_gradients_serves_them_later(joint: JointPredictor) -> None:
    with torch.inference_mode():
        x = torch.from_numpy(SPACE.encode(SHAPES[:5]))
        joint.predictor("size").standardised(x)
    weights = torch.ones(5, requires_grad=True)
    score = joint.predictor("latency:chip").standardised(torch.from_numpy(SPACE.encode(SHAPES[:5])))
    (slope,) = torch.autograd.grad((weights * score).sum(), weights)
    torch.testing.assert_close(slope, score)


def test_properties_that_share_layers_are_differentiated_alone(joint: JointPredictor) -> None:
    x = torch.from_numpy(SPACE.encode(SHAPES[:5]))
    with torch.no_grad():
        joint.predictor("size").standardised(x)
    x.requires_grad_()
    slopes = [
        torch.autograd.grad(joint.predictor(name).standardised(x).sum(), x)[0]
        for name in ("size", "latency:chip", "size")
    ]
    torch.testing.assert_close(slopes[0], slopes[2])
    assert slopes[0].abs().sum() > 0
    assert not torch.allclose(slopes[0], slopes[1])


def slope_of(guidance: Guidance, shapes: Sequence[Architecture]) -> torch.Tensor:
    """Return the gradient of the log-likelihood by the operations, `batch x N x F`."""
    x = torch.from_numpy(SPACE.encode(shapes)).requires_grad_()
    (slope,) = torch.autograd.grad(guidance.log_likelihood(x, torch.ones(len(x)), x).sum(), x)
    return slope


def test_a_sum_of_properties_that_share_layers_has_the_sum_of_their_slopes(
    joint: JointPredictor,
) -> None:
    terms = maximize(joint.predictor("size")), limit(joint.predictor("latency:chip"), at_most=1e9)
    for shapes in (SHAPES[:5], SHAPES[5:12]):
        apart = [slope_of(term, shapes) for term in terms]
        torch.testing.assert_close(slope_of(terms[0] + terms[1], shapes), apart[0] + apart[1])


def joint_under_temperature() -> JointPredictor:
    temperature = np.where(np.arange(500) % 2, 1.0, -1.0)
    columns = {name: values[:500] * np.exp(temperature) for name, values in COSTS.items()}
    return JointPredictor.fit(
        SPACE, SHAPES[:500], columns, width=24, steps=300, conditions={"temperature": temperature}
    )


def test_a_sum_of_properties_is_under_the_conditions_of_each() -> None:
    joint = joint_under_temperature()
    cold = maximize(joint.predictor("params").under(temperature=-1.0))
    warm = maximize(joint.predictor("macs").under(temperature=1.0))
    apart = slope_of(cold, SHAPES[:5]) + slope_of(warm, SHAPES[:5])
    torch.testing.assert_close(slope_of(cold + warm, SHAPES[:5]), apart)


def test_each_predictor_has_conditions_of_its_own() -> None:
    joint = joint_under_temperature()
    params, macs = (joint.predictor(name) for name in COSTS)
    cold = params.under(temperature=-1.0).predict(SHAPES[500:])[0]
    warm = macs.under(temperature=1.0).predict(SHAPES[500:])[0]
    assert params.conditions == {"temperature": -1.0}
    np.testing.assert_array_equal(params.predict(SHAPES[500:])[0], cold)
    assert (params.under(temperature=1.0).predict(SHAPES[500:])[0] > cold).all()
    assert spearman(warm, MACS[500:]) > 0.9


def test_the_first_load_may_be_without_gradients() -> None:
    x = torch.from_numpy(SPACE.encode(SHAPES[:3]))
    with torch.inference_mode():
        PropertyPredictor.from_pretrained("perplexity", search_space=SPACE).predict(SHAPES[:3])
    other = PropertyPredictor.from_pretrained("accuracy", search_space=SPACE)
    (slope,) = torch.autograd.grad(other.standardised(x.requires_grad_()).sum(), x)
    assert bool(slope.isfinite().all())
    assert slope.abs().max() > 0
