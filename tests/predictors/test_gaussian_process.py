"""Gaussian processes on architectures: what is saved of them."""

from __future__ import annotations

from dataclasses import asdict

from diffusionnag.predictors import (
    GaussianProcess,
    GaussianProcessConfig,
    PathFeatures,
    PathsAndOrder,
)
from diffusionnag.spaces import get_search_space


def test_processes_saved_before_they_knew_the_order_load_without_it() -> None:
    space = get_search_space("mnasnet")
    now = GaussianProcess(space, GaussianProcessConfig(10))
    before = asdict(now.config)
    del before["ordered"]
    for config, features in ((asdict(now.config), PathsAndOrder), (before, PathFeatures)):
        process = GaussianProcess.from_config(space, config)
        assert isinstance(process.features, features)
        assert len(process.kernel) == 2 * features(space).groups + 1
    assert PathsAndOrder(space).groups == PathFeatures(space).groups + 1
