"""Guidance made exact: particles that are weighted and resampled on their way to architectures.

Source: Wu et al. 2023, "Practical and Asymptotically Exact Conditional Sampling in Diffusion Models".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from diffusionnag.diffusion.guided import Strength, guidance_gradient
from diffusionnag.diffusion.sde import SDE
from diffusionnag.diffusion.solvers import Denoise
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance import Guidance
from diffusionnag.guidance.terms import merit
from diffusionnag.spaces import Architecture, SearchSpace

CHUNK = 1_024
"""Particles that are differentiated together; only resampling needs them all."""
FEWEST_EFFECTIVE = 0.5
"""Share of the particles that must count, or they are resampled."""


def half(sigma: Tensor) -> Tensor:
    """Return 1/2 at every noise level: proposals that overshoot make weights uneven."""
    return torch.full_like(sigma, 0.5)


@dataclass(frozen=True)
class Particles:
    """Decoded particles with weights: together they stand for the tilted distribution."""

    architectures: list[Architecture]
    log_weights: Tensor
    """`particles` float64, minus infinity for what is not an architecture of the space."""
    effective_sample_size: tuple[float, ...]
    """At each step, and once decoded, as a share of the particles, before any resampling."""

    def draw(self, count: int, rng: torch.Generator) -> list[Architecture]:
        """Return `count` architectures drawn by their weights, in random order."""
        rows = systematic(self.log_weights, count, rng)
        order = torch.randperm(count, generator=rng, device=rows.device)
        return [self.architectures[row] for row in rows[order].tolist()]


def walk_particles(
    denoise: Denoise,
    guidance: Guidance,
    space: SearchSpace,
    sde: SDE,
    times: Tensor,
    particles: int,
    rng: torch.Generator,
    *,
    strength: Strength | None = None,
    allowed: Callable[[Sequence[Architecture]], np.ndarray] | None = None,
) -> Particles:
    """Return particles weighted as p(A) exp(log-likelihood of A): exactly, as they become many.

    p is what ancestral steps at `times` draw without guidance, given that it is valid and `allowed`
    (`batch` bool). Guidance proposes the steps, at half strength unless another is given: that
    changes how much the weights vary, and never what they aim at. All particles are held at once, a
    few matrices `N x F` each; the network sees 1,024 at a time. Raises DiffusionNAGError where every
    weight is 0, or the guidance is not a number.
    """
    strength = strength or Strength(half)
    sigmas = sde.sigma(times)
    shape = (particles, len(space.nodes), len(space.operations))
    x = sigmas[0] * torch.randn(shape, generator=rng, device=times.device)
    log_weights = torch.zeros(particles, dtype=torch.float64, device=times.device)
    judged_before, effective = log_weights, []
    with torch.no_grad():
        for sigma, target in pairwise(sigmas):
            clean, gradient, judged = _judge(denoise, guidance, x, sigma)
            log_weights = log_weights + judged - judged_before
            effective.append(effective_share(log_weights))
            if effective[-1] < FEWEST_EFFECTIVE:
                rows = systematic(log_weights, particles, rng)
                x, clean, gradient, judged = x[rows], clean[rows], gradient[rows], judged[rows]
                log_weights = torch.zeros_like(log_weights)
            kept = (target / sigma) ** 2
            deviation = target * torch.sqrt(1 - kept)
            noise = torch.randn(shape, generator=rng, device=x.device)
            # Both kernels are normal, with their means this many deviations apart.
            apart = (1 - kept) / deviation * strength.pull(gradient, sigma)
            log_weights = log_weights - (apart * (noise + 0.5 * apart)).double().sum((1, 2))
            x = clean + kept * (x - clean) + deviation * (apart + noise)
            judged_before = judged
        ends = [denoise(part, sigmas[-1]) for part in x.split(CHUNK)]
    architectures = space.decode(torch.cat(ends).cpu().numpy())
    judged = _judge_decoded(guidance, space, architectures, allowed).to(log_weights)
    log_weights = log_weights + judged - judged_before
    effective.append(effective_share(log_weights))
    return Particles(architectures, log_weights, tuple(effective))


def systematic(log_weights: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Draw `count` row numbers by weights, at even distances from one random start; ascending."""
    cumulated = log_weights.softmax(0).cumsum(0)
    start = torch.rand((), generator=rng, device=rng.device)
    points = (torch.arange(count, device=rng.device) + start.double()) / count
    # Divided by its own last entry it ends at exactly 1, so that no weight of 0 is ever drawn.
    return torch.searchsorted(cumulated / cumulated[-1], points, right=True)


def effective_share(log_weights: Tensor) -> float:
    """Return the effective sample size, (sum w)^2 / sum w^2, over the number of weights.

    Raises DiffusionNAGError where no weight is above 0, or one is not a number.
    """
    if log_weights.isnan().any() or log_weights.isposinf().any():
        raise DiffusionNAGError(
            "the guide's log-likelihood is not a finite number everywhere; mend the guide, or "
            "lower its weight"
        )
    if log_weights.isneginf().all():
        raise DiffusionNAGError(
            "no particle ended as an architecture that the guide and its limits allow; take more "
            "particles or more steps, or loosen a limit"
        )
    total, squared = log_weights.logsumexp(0), (2 * log_weights).logsumexp(0)
    return min(1.0, float((2 * total - squared).exp()) / len(log_weights))


def _judge(
    denoise: Denoise, guidance: Guidance, x: Tensor, sigma: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return D(x, sigma), the gradient, and the log-likelihood in float64, for all particles."""
    parts = [guidance_gradient(denoise, guidance, part, sigma) for part in x.split(CHUNK)]
    clean, gradient, judged = (torch.cat(part) for part in zip(*parts, strict=True))
    return clean, gradient, judged.double()


def _judge_decoded(
    guidance: Guidance,
    space: SearchSpace,
    architectures: list[Architecture],
    allowed: Callable[[Sequence[Architecture]], np.ndarray] | None,
) -> Tensor:
    """Return the log-likelihood of decoded architectures; minus infinity for what is no result."""
    judged = np.full(len(architectures), -np.inf)
    rows = [row for row, decoded in enumerate(architectures) if space.is_valid(decoded)]
    valid = [architectures[row] for row in rows]
    if valid:
        merits = merit(guidance, space, valid)
        judged[rows] = merits if allowed is None else np.where(allowed(valid), merits, -np.inf)
    return torch.from_numpy(judged)
