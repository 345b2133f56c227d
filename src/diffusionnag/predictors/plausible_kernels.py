"""Kernels that few measurements hold possible, besides the one that fits them best."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

BETWEEN = 3
"""Steps from one kernel to the next, so that they hardly depend on each other."""


def plausible_kernels(
    log_likelihood: Callable[[Tensor], float],
    fitted: Tensor,
    prior: tuple[Tensor, Tensor],
    count: int,
    seed: int,
) -> list[Tensor]:
    """Return so many draws of a kernel's parameters from their posterior, beginning at the `fitted` ones.

    The `prior` is normal, with these means and deviations (each as `fitted`). Source: elliptical slice
    sampling (Murray, Adams & MacKay 2010), which has nothing to tune.
    """
    generator = torch.Generator().manual_seed(seed)
    means, deviations = prior
    kernel, drawn = fitted, list[Tensor]()
    for step in range(count * BETWEEN):
        other = means + deviations * torch.randn(
            fitted.shape, generator=generator, dtype=fitted.dtype
        )
        kernel = _next_on_ellipse(log_likelihood, kernel, other, means, generator)
        if (step + 1) % BETWEEN == 0:
            drawn.append(kernel)
    return drawn


def _next_on_ellipse(
    log_likelihood: Callable[[Tensor], float],
    kernel: Tensor,
    other: Tensor,
    means: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Return a point on the ellipse through two kernels that is likely enough, its bracket shrinking."""

    def uniform() -> float:
        return float(torch.rand((), generator=generator, dtype=torch.float64))

    least = log_likelihood(kernel) + math.log(max(uniform(), 1e-300))
    angle = 2 * math.pi * uniform()
    lower, upper = angle - 2 * math.pi, angle
    while True:
        proposed = means + (kernel - means) * math.cos(angle) + (other - means) * math.sin(angle)
        if log_likelihood(proposed) > least:
            return proposed
        # At angle 0 is the kernel itself, which is always likely enough.
        lower, upper = (angle, upper) if angle < 0 else (lower, angle)
        if upper - lower < 1e-9:
            return kernel
        angle = lower + (upper - lower) * uniform()
