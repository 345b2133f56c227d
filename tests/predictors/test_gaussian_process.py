"""Gaussian processes on architectures: what is saved of them."""

from __future__ import annotations

from dataclasses import asdict

from diffusionnag.predictors import (
    ArchitectureFeatures,
    GaussianProcess,
    GaussianProcessConfig,
    PathFeatures,
    PathsAndOrder,
)
from diffusionnag.spaces import get_search_space


def test_processes_saved_before_load_with_the_features_that_they_had() -> None:
    space = get_search_space("mnasnet")
    now = asdict(GaussianProcess(space, GaussianProcessConfig(10)).config)
    first = {name: value for name, value in now.items() if name != "features"}
    for config, features in (
        (now, ArchitectureFeatures),
        (first | {"ordered": True}, PathsAndOrder),
        (first, PathFeatures),
    ):
        process = GaussianProcess.from_config(space, config)
        assert type(process.features) is features
        assert len(process.kernel) == 2 * features(space).groups + 1
    assert PathsAndOrder(space).groups == PathFeatures(space).groups + 1
