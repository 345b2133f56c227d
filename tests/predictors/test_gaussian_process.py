"""Gaussian processes on architectures: what is saved of them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from diffusionnag.predictors import (
    ArchitectureFeatures,
    GaussianProcess,
    GaussianProcessConfig,
    PathFeatures,
    PathsAndOrder,
    PropertyPredictor,
    RankGaussian,
)
from diffusionnag.spaces import fix_nodes, get_search_space


def test_a_predictor_of_fixed_nodes_is_the_same_once_loaded(tmp_path: Path) -> None:
    space = get_search_space("nasbench201")
    fixed = fix_nodes(space, {space.nodes[1]: "nor_conv_3x3"})
    cells = fixed.sample(40, 0)
    values = [space.analytic_properties(cell)["params"] for cell in cells]
    predictor = PropertyPredictor(fixed, "params").fit(cells, values)
    predictor.save_pretrained(tmp_path)
    loaded = PropertyPredictor.from_pretrained(tmp_path)
    np.testing.assert_allclose(loaded.predict(cells)[0], predictor.predict(cells)[0], rtol=1e-4)


def test_beyond_what_was_measured_a_prediction_is_not_sure() -> None:
    scale = RankGaussian.fit(np.linspace(60, 80, 50))
    top, spread = scale.normal[-1], 0.4
    stated = scale.to_value_spread(top + np.linspace(0.01, 3, 50), np.full(50, spread))
    slope = np.ptp(scale.values) / np.ptp(scale.normal)
    np.testing.assert_allclose(stated, slope * spread)


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
