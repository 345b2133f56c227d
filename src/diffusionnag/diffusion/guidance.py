"""Guidance: bending the reverse process towards architectures that have a property."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from diffusionnag.diffusion.solvers import Denoise


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

    noise_aware: bool

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the property in units of its spread, `batch`, for relaxed one-hot rows."""
        ...


@dataclass(frozen=True)
class PredictorGuidance:
    """A predictor's output times the guidance scale k (paper, Eq. 8-9); a negative k minimises.

    A noise-aware predictor judges A_t itself, as in the paper; any other is plugged in behind the
    denoiser and judges the estimated clean architecture.
    """

    predictor: DifferentiablePredictor
    scale: float

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return k times the standardised property, `batch`."""
        if self.predictor.noise_aware:
            return self.scale * self.predictor.standardised(x, sigma)
        return self.scale * self.predictor.standardised(clean)


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
