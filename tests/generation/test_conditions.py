"""Properties that depend on more than the architecture, such as the resolution of its input."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import generate, get_search_space
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.request import parse_request, space_under
from diffusionnag.guidance import AnalyticProperty
from diffusionnag.spaces.mobilenetv3 import mobilenetv3_cost

NAME = "mobilenetv3"
LATENCY = "latency:2080ti_32"


def test_predictors_and_analytic_properties_are_asked_under_the_condition() -> None:
    space = space_under(NAME, ["resolution=160"])
    request = parse_request([LATENCY], ["macs<=150M"], 0.5, space)
    (latency,), (bound,) = request.properties, request.limits
    assert dict(latency.conditions) == {"resolution": 160}
    (usual,) = parse_request([LATENCY], [], 0.5, get_search_space(NAME)).properties
    assert dict(usual.conditions) == {"resolution": 224}
    drawn = space.sample(64, 0)
    assert (latency.predict(drawn)[0] < usual.predict(drawn)[0]).mean() > 0.9
    exact = [mobilenetv3_cost(space.stages(cell), resolution=160).macs / 1e6 for cell in drawn]  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(bound.property.predict(drawn)[0], exact)


@pytest.mark.parametrize("resolution", [128, 192, 224])
def test_the_peak_memory_is_relaxed_exactly(resolution: int) -> None:
    space = space_under(NAME, [f"resolution={resolution}"])
    peak = AnalyticProperty(space, "peak_memory")
    drawn = space.sample(200, 7)
    values, _ = peak.predict(drawn)
    expected = [peak.to_standard(value) for value in values]
    np.testing.assert_allclose(peak.normal_score(drawn), expected, atol=1e-5)
    assert (peak <= float(np.median(values))).keeps(drawn).mean() >= 0.5


def test_the_best_keep_limits_under_the_condition() -> None:
    result = generate(
        NAME,
        8,
        guides=[f"{LATENCY}=-1"],
        limits=["macs>=200M", "peak_memory<=0.6M"],
        conditions=["resolution=192"],
        seconds=0.2,
    )
    assert result.generated.within_limits.all()
    assert (result.generated.analytic["macs"] >= 200).all()
    assert (result.generated.analytic["peak_memory"] <= 0.6).all()


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (["resolution"], "should read like 'resolution=192'"),
        (["resolution=big"], "should read like 'resolution=192'"),
        (["resolution=nan"], "should read like 'resolution=192'"),
        (["resolution=190.5"], "whole pixels, at least 32"),
        (["resolution=8"], "whole pixels, at least 32"),
    ],
)
def test_wrong_conditions(conditions: list[str], message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        space_under(NAME, conditions)


def test_a_condition_that_nothing_depends_on(run_main: RunCli) -> None:
    for asked, message in (
        (["nasbench201", "--guide", "cifar10"], "on no condition, not on resolution"),
        ([NAME, "--guide", LATENCY, "--condition", "batch=3"], "only on resolution, not on batch"),
    ):
        result = run_main("generate", *asked, "--condition", "resolution=64", "-n", "4")
        assert_fails(result, 2, message)
