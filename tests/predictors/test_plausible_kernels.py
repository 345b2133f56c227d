"""Kernels drawn from their posterior, and what processes say under each of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from diffusionnag import DiffusionNAGError, PropertyPredictor, get_search_space
from diffusionnag.predictors.plausible_kernels import plausible_kernels

SPACE = get_search_space("nasbench201")
MEANS, DEVIATIONS = torch.tensor([1.0, -2.0]).double(), torch.tensor([1.0, 0.5]).double()


def test_draws_have_the_moments_of_the_posterior() -> None:
    # A normal likelihood makes the posterior normal: precisions add up.
    measured, error = torch.tensor([2.0, -2.0]).double(), torch.tensor([0.5, 0.5]).double()

    def log_likelihood(kernel: Tensor) -> float:
        return float(-0.5 * ((kernel - measured) / error).square().sum())

    drawn = torch.stack(
        plausible_kernels(log_likelihood, MEANS, (MEANS, DEVIATIONS), count=1_500, seed=0)
    )
    precision = DEVIATIONS**-2 + error**-2
    mean = (MEANS * DEVIATIONS**-2 + measured * error**-2) / precision
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.06)
    np.testing.assert_allclose(drawn.std(0), precision**-0.5, rtol=0.1)


def test_what_measurements_do_not_tell_keeps_its_prior_and_follows_from_the_seed() -> None:
    first, again, other = (
        torch.stack(plausible_kernels(lambda _: 0.0, MEANS, (MEANS, DEVIATIONS), 400, seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_allclose(first.mean(0), MEANS, atol=0.2)
    np.testing.assert_allclose(first.std(0), DEVIATIONS, rtol=0.15)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_processes_under_plausible_kernels_lie_around_the_fitted_one() -> None:
    cells = SPACE.sample(60, seed=0)
    names = [SPACE.operation_names(cell) for cell in cells]
    values = np.array(
        [each.count("nor_conv_3x3") + 0.5 * each.count("skip_connect") for each in names]
    )
    values += 0.3 * np.random.default_rng(0).normal(size=len(values))
    predictor = PropertyPredictor(SPACE, "count").fit(cells[:40], values[:40])
    mean, covariance = predictor.joint(cells[40:])
    joints = predictor.plausible_joints(cells[40:], 8)
    assert len(joints) == 8
    means = torch.stack([each for each, _ in joints])
    for _, other in joints:
        assert other.shape == covariance.shape
        assert float(torch.linalg.eigvalsh(other).min()) > -1e-8
    assert float(means.std(0).min()) > 0
    correlation = np.corrcoef(means.mean(0), mean)[0, 1]
    assert correlation > 0.95


def test_networks_have_no_joint_distribution() -> None:
    cells = SPACE.sample(40, seed=0)
    predictor = PropertyPredictor(SPACE, "any", model="ensemble").fit(
        cells, np.arange(40.0), steps=2
    )
    with pytest.raises(DiffusionNAGError, match="no joint distribution"):
        predictor.plausible_joints(cells, 2)
