"""Acquisition functions: how much is to be gained from measuring an architecture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from botorch.acquisition.analytic import (
    LogExpectedImprovement,
    LogProbabilityOfImprovement,
    UpperConfidenceBound,
)
from botorch.models.model import Model
from botorch.posteriors import TorchPosterior
from torch import Tensor
from torch.distributions import Normal

from diffusionnag.search._choices import check_choice

ACQUISITIONS = ("EI", "PI", "UCB", "ITS")
"""Expected and probability of improvement, upper confidence bound, independent Thompson sampling."""
UCB_BETA = 4.0
"""Square of the number of deviations that the upper confidence bound lies above the mean."""


RUNNING_DRAWS = 64
"""Draws of the values of what is still measured; given each, an expectation is exact."""


def improvement_beyond(
    mean: np.ndarray,
    covariance: np.ndarray,
    noise: float,
    best: float,
    running: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the logarithm of expected improvement over what is measured and running, `batch` float64.

    `mean` and `covariance` are those of the true values, the `running` ones first, then the `batch`
    candidates; `noise` is the variance of a measurement, `best` the highest one. It is q-EI, of which
    all but the last are chosen already (Ginsbourger et al. 2010): a candidate that resembles one that is
    running gains little more.
    """
    measured = covariance[:running, :running] + noise * np.eye(running)
    factor = np.linalg.cholesky(measured)
    weights = np.linalg.solve(factor, covariance[:running, running:])
    drawn = rng.normal(size=(RUNNING_DRAWS, running))
    highest = np.maximum(best, (mean[:running] + drawn @ factor.T).max(1, keepdims=True))
    given = mean[running:] + drawn @ weights - highest
    left = (covariance.diagonal()[running:] - np.square(weights).sum(0)).clip(min=0) + noise
    std = np.broadcast_to(np.sqrt(left), given.shape)
    improvement = acquire("EI", given.ravel(), std.ravel(), 0.0, rng).reshape(given.shape)
    return np.logaddexp.reduce(improvement, axis=0) - np.log(RUNNING_DRAWS)


def augmented_improvement(
    mean: np.ndarray, std: np.ndarray, noise: float, best: float
) -> np.ndarray:
    """Return the logarithm of augmented expected improvement of each candidate, `batch` float64.

    `std` (`batch`) is that of the true values, `noise` that of a measurement, `best` the mean of the
    incumbent. What is known well already gains little from another measurement. Source: Huang et al.
    2006, Eq. 11.
    """
    improvement = acquire("EI", mean, std, best, np.random.default_rng(0))
    return improvement + np.log1p(-noise / np.hypot(std, noise))


class _Known(Model):
    """A BoTorch model of candidates whose mean and deviation are known: they are its inputs."""

    @property
    def num_outputs(self) -> int:
        return 1

    def posterior(self, X: Tensor, *_: Any, **__: Any) -> TorchPosterior:  # type: ignore[override]
        """Return the normal distribution of `batch x 1 x 2` means and deviations."""
        return TorchPosterior(Normal(X[..., :1], X[..., 1:]))


def acquire(
    name: str, mean: np.ndarray, std: np.ndarray, best: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the value of an acquisition function for each candidate, `batch` float64.

    `mean`, `std` (both `batch`) and the `best` value measured are standardised, more being better.
    EI and PI come as logarithms, which rank alike and do not vanish. Raises DiffusionNAGError for
    an unknown name.
    """
    check_choice("acquisition function", name, ACQUISITIONS)
    if name == "ITS":
        return rng.normal(mean, std)
    model = _Known()
    functions = {
        "EI": LogExpectedImprovement(model, best_f=best),
        "PI": LogProbabilityOfImprovement(model, best_f=best),
        "UCB": UpperConfidenceBound(model, beta=UCB_BETA),
    }
    x = torch.from_numpy(np.stack([mean, std], axis=-1)).double()[:, None]
    with torch.no_grad():
        return functions[name](x).numpy()
