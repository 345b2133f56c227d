"""Guided denoising: bending the reverse process towards architectures that have a property."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from diffusionnag.diffusion.solvers import Denoise
from diffusionnag.guidance import Guidance


def constant(sigma: Tensor) -> Tensor:
    """Return 1 at every noise level: the paper's constant guidance scale."""
    return torch.ones_like(sigma)


@dataclass(frozen=True)
class Strength:
    """How hard guidance pulls in the course of the reverse process.

    `schedule` maps a noise level sigma (a scalar tensor) to a factor k_t. The pull, by which the
    estimate of x_0 moves, is sigma^2 times the gradient; with `normalised` its norm over each
    architecture is set to that many times min(sigma, 1), and none is longer than `clip`. The gradient
    by x goes through the network; without `through_network` it is that of `independent_gradient`.
    """

    schedule: Callable[[Tensor], Tensor] = constant
    normalised: float | None = None
    clip: float = math.inf
    through_network: bool = True

    def pull(self, gradient: Tensor, sigma: Tensor) -> Tensor:
        """Return by how much the estimate of x_0 moves, `batch x N x F`."""
        pull = sigma**2 * self.schedule(sigma) * gradient
        if self.normalised is None and math.isinf(self.clip):
            return pull
        norm = pull.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
        if self.normalised is not None:
            wanted = self.normalised * self.schedule(sigma) * sigma.clamp(max=1.0)
            pull, norm = pull * (wanted / norm), wanted.expand_as(norm)
        return pull * (self.clip / norm).clamp(max=1.0)


def guided(denoise: Denoise, guidance: Guidance, strength: Strength | None = None) -> Denoise:
    """Return a denoiser whose score is the given one's plus the guidance's gradient (Eq. 9).

    Adding a gradient to the score moves the estimate of x_0 by sigma^2 times that gradient.
    """
    strength = strength or Strength()
    gradient_of = guidance_gradient if strength.through_network else independent_gradient

    def denoise_guided(x: Tensor, sigma: Tensor) -> Tensor:
        clean, gradient, _ = gradient_of(denoise, guidance, x, sigma)
        return clean + strength.pull(gradient, sigma)

    return denoise_guided


def guidance_gradient(
    denoise: Denoise, guidance: Guidance, x: Tensor, sigma: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return D(x, sigma), the gradient of the log-likelihood by x, and the log-likelihood.

    The first two are `batch x N x F`, the last is `batch`; none of them needs a gradient.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone().requires_grad_()
        clean = denoise(x, sigma)
        log_likelihood = guidance.log_likelihood(x, sigma.expand(len(x)), clean)
        (gradient,) = torch.autograd.grad(log_likelihood.sum(), x)
    return clean.detach(), gradient, log_likelihood.detach()


def independent_gradient(
    denoise: Denoise, guidance: Guidance, x: Tensor, sigma: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `guidance_gradient` does, as if nodes were independent given x; at half the cost.

    The Jacobian of D is the covariance of x_0 given x over sigma^2 (Efron 2011, "Tweedie's formula
    and selection bias"). That of one operation, drawn by the probabilities D, is diag(D) - D D^T, so
    that nothing goes backwards through the network. D must be probabilities.
    """
    with torch.no_grad():
        clean = denoise(x, sigma)
    with torch.inference_mode(False), torch.enable_grad():
        x, estimate = x.clone().requires_grad_(), clean.clone().requires_grad_()
        log_likelihood = guidance.log_likelihood(x, sigma.expand(len(x)), estimate)
        by_x, by_estimate = torch.autograd.grad(
            log_likelihood.sum(), (x, estimate), materialize_grads=True
        )
    mean = (clean * by_estimate).sum(-1, keepdim=True)
    gradient = by_x + clean * (by_estimate - mean) / sigma**2
    return clean, gradient, log_likelihood.detach()
