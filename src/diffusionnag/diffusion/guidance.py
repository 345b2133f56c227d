"""Guidance: bending the reverse process towards architectures that have a property."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.diffusion.solvers import Denoise

GUIDANCE_SCALE = 4.0
"""Default k, for a property in units of its spread over the space."""
DISTINCT_GUIDANCE_SCALE = 8.0
"""Default k below a ceiling, where steepness costs no diversity."""
CEILING_SHARPNESS = 8.0
CEILING_SLACK = 1.25
"""How many architectures lie above the ceiling, for each one that is wanted."""


class Guidance(Protocol):
    """Anything that says how likely noisy architectures are to have what is asked for."""

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return log p(y | A_t) up to a constant, `batch`, differentiable with respect to x.

        `x` is x_0 + sigma * noise (`batch x N x F`), `sigma` its noise level (`batch`), and
        `clean` the denoiser's estimate D(x, sigma) of x_0, itself a function of x.
        """
        ...


class DifferentiablePredictor(Protocol):
    """A predictor that guidance can differentiate: see `PropertyPredictor`."""

    @property
    def noise_aware(self) -> bool:
        """Whether it judges noised architectures A_t, given their noise level."""
        ...

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the property in units of its spread, `batch`, for relaxed one-hot rows."""
        ...


@dataclass(frozen=True)
class PredictorGuidance:
    """A predictor's output times the guidance scale k (paper, Eq. 8-9); a negative k minimises.

    A noise-aware predictor judges A_t itself, as in the paper; any other is plugged in behind the
    denoiser and judges the estimated clean architecture. What exceeds `ceiling`, in standardised
    units, earns nothing more: all architectures above it are then about equally likely.
    """

    predictor: DifferentiablePredictor
    scale: float
    ceiling: float = math.inf

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return |k| times the standardised property, turned round if k < 0, `batch`."""
        if self.predictor.noise_aware:
            found = self.predictor.standardised(x, sigma)
        else:
            found = self.predictor.standardised(clean)
        gain = math.copysign(1.0, self.scale) * found
        if math.isfinite(self.ceiling):
            shortfall = functional.softplus(CEILING_SHARPNESS * (self.ceiling - gain))
            gain = self.ceiling - shortfall / CEILING_SHARPNESS
        return abs(self.scale) * gain


def maximise(
    predictor: DifferentiablePredictor,
    weight: float = 1.0,
    *,
    distinct: int | None = None,
    space_size: int | None = None,
) -> PredictorGuidance:
    """Return guidance of a standard strength times `weight`; a negative weight minimises.

    Where `distinct` architectures of a space of `space_size` are wanted, the reward ends at the
    level that somewhat more than so many architectures reach: without that, strong guidance keeps
    returning to the few best, and weak guidance lets the mediocre in.
    """
    if distinct is None or space_size is None:
        return PredictorGuidance(predictor, weight * GUIDANCE_SCALE)
    share = torch.tensor(min(CEILING_SLACK * distinct / space_size, 0.5), dtype=torch.float64)
    ceiling = -float(torch.special.ndtri(share))
    return PredictorGuidance(predictor, weight * DISTINCT_GUIDANCE_SCALE, ceiling)


@dataclass(frozen=True)
class SumOfGuidance:
    """Several guidances at once: their log-likelihoods add."""

    terms: tuple[Guidance, ...]

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return the sum over all terms, `batch`."""
        total = torch.zeros(len(x), device=x.device)
        for term in self.terms:
            total = total + term.log_likelihood(x, sigma, clean)
        return total


def guided(denoise: Denoise, guidance: Guidance) -> Denoise:
    """Return a denoiser whose score is the given one's plus the guidance's gradient (Eq. 9).

    Adding a gradient to the score moves the estimate of x_0 by sigma^2 times that gradient.
    """

    def denoise_guided(x: Tensor, sigma: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            x = x.clone().requires_grad_()
            clean = denoise(x, sigma)
            log_likelihood = guidance.log_likelihood(x, sigma.expand(len(x)), clean)
            (gradient,) = torch.autograd.grad(log_likelihood.sum(), x)
        return clean.detach() + sigma**2 * gradient

    return denoise_guided
