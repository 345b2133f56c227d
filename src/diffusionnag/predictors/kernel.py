"""The kernel of a Gaussian process: a sum of one squared exponential for each group of features."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable

import torch
from torch import Tensor

from diffusionnag._adam import Adam

ITERATIONS = 100
LEARNING_RATE = 0.1
JITTER = 1e-5
NOISE_PRIOR = (-1.0, 1.0)
"""Mean and deviation of the log noise variance before anything is measured, standardised.

A search learns from values that chance has raised: who expects hardly any noise believes them, and
proposes their neighbours again and again.
"""
PREDICTED_LENGTH = (-0.75, 0.5)
"""Mean and deviation of a log length, in typical distances, where a feature is itself a prediction.

Such a one tells apart what lies close together. With a longer length the best of what is measured
would always promise something better still further out.
"""
BESIDE_PREDICTED = -1.0
"""Mean log variance of the other groups beside predictions, of which more is expected."""


def fit_kernel(
    known: list[Tensor],
    target: Tensor,
    report: Callable[[int, int], None],
    *,
    predicted_groups: int = 0,
) -> Tensor:
    """Return the kernel's parameters, `2 groups + 1`, for groups of features `labelled x features`.

    They maximise the marginal likelihood of target `labelled` (Rasmussen & Williams 2006, Eq. 5.8),
    or of several independent ones, `labelled x targets`, times a weak prior.
    """
    distances = torch.stack([squared_distances(group, group) for group in known])
    centres, widths = kernel_prior(distances, predicted_groups)
    kernel = torch.cat([centres[:-1], torch.tensor([-2.0], dtype=torch.float64)])
    optimiser = Adam(kernel, LEARNING_RATE)
    residual = (target - target.mean(0)).reshape(len(target), -1)
    with torch.no_grad():
        for iteration in range(ITERATIONS):
            prior = (kernel - centres) / widths.square()
            optimiser.step(_likelihood_gradient(distances, kernel, residual) + prior)
            report(iteration + 1, ITERATIONS)
    return kernel


def kernel_prior(distances: Tensor, predicted_groups: int) -> tuple[Tensor, Tensor]:
    """Return means and deviations of a kernel's parameters before anything is measured, `2 groups + 1`.

    They follow from the squared `distances` of each group, `groups x labelled x labelled`, of which
    the last `predicted_groups` are predictions.
    """
    groups, own = len(distances), len(distances) - predicted_groups
    variances = [BESIDE_PREDICTED if predicted_groups else 0.0] * own + [0.0] * predicted_groups
    lengths = [0.5 * math.log(float(squared.mean()) + 1e-9) for squared in distances]
    lengths[own:] = [length + PREDICTED_LENGTH[0] for length in lengths[own:]]
    means = [*variances, *lengths, NOISE_PRIOR[0]]
    widths = [1.0] * own + [PREDICTED_LENGTH[1]] * predicted_groups
    deviations = [1.5] * groups + [*widths, NOISE_PRIOR[1]]
    return torch.tensor(means, dtype=torch.float64), torch.tensor(deviations, dtype=torch.float64)


def weights_of(known: list[Tensor], kernel: Tensor, target: Tensor) -> Tensor:
    """Return the weights of the posterior mean in a target measured once for each, `labelled`.

    Of several targets, `labelled x targets`, those in each.
    """
    factor = torch.linalg.cholesky(noisy_covariance(known, kernel))
    centred = (target - target.mean(0)).reshape(len(target), -1)
    return torch.cholesky_solve(centred, factor).reshape(target.shape)


def _likelihood_gradient(distances: Tensor, kernel: Tensor, residual: Tensor) -> Tensor:
    """Return the gradient of the negative log marginal likelihood in the kernel's parameters.

    From `distances` (`groups x labelled x labelled`) and `residual` (`labelled x targets`), as in
    Rasmussen & Williams 2006, Eq. 5.9; up to 100 labels it takes half as long as automatic differentiation.
    """
    groups = len(distances)
    variances, lengths, noise = kernel[:groups], kernel[groups:-1], kernel[-1].exp()
    scaled = distances * torch.exp(-2 * lengths)[:, None, None]
    parts = torch.exp(variances[:, None, None] - 0.5 * scaled)
    covariance = parts.sum(0)
    covariance.diagonal().add_(noise + JITTER)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(covariance))
    solved = inverse @ residual
    sensitivity = 0.5 * (residual.shape[1] * inverse - solved @ solved.T)
    in_variances = (sensitivity * parts).sum((1, 2))
    in_lengths = (sensitivity * parts * scaled).sum((1, 2))
    in_noise = noise * sensitivity.diagonal().sum()
    return torch.cat([in_variances, in_lengths, in_noise[None]])


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the squared distances, `a x b`, between features `a x features` and `b x features`."""
    cross = a @ b.T
    return (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * cross).clamp(min=0)


def covariance_of(a: list[Tensor], b: list[Tensor], kernel: Tensor) -> Tensor:
    """Return the covariance, `a x b`, of what groups of features `a x features` and `b x features` say."""
    groups = len(a)
    variances, lengths = kernel[:groups], kernel[groups:-1]
    parts = (
        torch.exp(variance - 0.5 * squared_distances(group, others) * torch.exp(-2 * length))
        for group, others, variance, length in zip(a, b, variances, lengths, strict=True)
    )
    return functools.reduce(operator.add, parts)


def noisy_covariance(known: list[Tensor], kernel: Tensor, repeats: Tensor | None = None) -> Tensor:
    """Return the covariance of the measured values of `known`, square; `repeats` are averaged."""
    covariance = covariance_of(known, known, kernel)
    noise = (kernel[-1].exp() + JITTER).expand(len(covariance))
    return covariance + torch.diag(noise if repeats is None else noise / repeats.to(noise))
