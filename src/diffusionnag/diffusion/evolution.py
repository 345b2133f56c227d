"""Guidance by a black box: the fitness of decoded architectures, without any gradient.

Source: the fitness-weighted denoising of EDNAG, "Evolution Meets Diffusion: Efficient Neural
Architecture Generation" (2025).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from diffusionnag.diffusion.sde import SDE
from diffusionnag.diffusion.solvers import Denoise
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace

FitnessFunction = Callable[[Sequence[Architecture]], Sequence[float]]
"""From architectures to how fit each is; more is fitter."""

CHUNK = 512
"""Architectures that are denoised, or averaged for, together."""
SHARPNESS = 0.25
"""Factor on the log-likelihood of x_t given an architecture.

At 1 the nearest few outweigh all fitness in spaces of twenty nodes; in small ones it matters little.
"""


@dataclass
class Fitness:
    """A user's function of architectures, asked once for each; more is fitter."""

    function: FitnessFunction
    space: SearchSpace
    known: dict[Architecture, float] = field(default_factory=dict)
    """Every architecture that was asked for, with what the function said."""

    def __call__(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the fitness of valid architectures, `batch` float64.

        Raises DiffusionNAGError where the function fails, or does not return one finite number for
        each.
        """
        new = [asked for asked in dict.fromkeys(architectures) if asked not in self.known]
        if new:
            self.known.update(zip(new, self._ask(new).tolist(), strict=True))
        return np.array(
            [self.known[architecture] for architecture in architectures], dtype=np.float64
        )

    def _ask(self, architectures: list[Architecture]) -> np.ndarray:
        try:
            fitness = np.asarray(self.function(architectures), dtype=np.float64)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise DiffusionNAGError(f"the fitness function failed with {reason}") from error
        if fitness.shape != (len(architectures),):
            raise DiffusionNAGError(
                f"the fitness function returned an array of shape {fitness.shape} for "
                f"{len(architectures)} architectures; one number for each is expected"
            )
        wrong = np.flatnonzero(~np.isfinite(fitness))
        if len(wrong):
            raise DiffusionNAGError(
                f"the fitness of {self.space.format(architectures[wrong[0]])} is "
                f"{fitness[wrong[0]]}; return a finite number, a very low one for what is unfit"
            )
        return fitness


def evolve(
    denoise: Denoise,
    fitness: Fitness,
    sde: SDE,
    times: Tensor,
    population: int,
    rng: torch.Generator,
    *,
    scale: float,
) -> list[Architecture]:
    """Return a population as it ends, decoded, after ancestral steps that fitness pulls.

    At each step the estimates of x_0 are decoded to the likeliest allowed operations, and what is
    valid is asked for its fitness. All that was ever asked then votes for x_0, weighted by its
    likelihood given x_t; the estimate moves by what weights of exp(scale * standardised fitness)
    change in that average. So a scale of 0 samples freely.
    """
    space, sigmas = fitness.space, sde.sigma(times)
    shape = (population, len(space.nodes), len(space.operations))

    def randn() -> Tensor:
        return torch.randn(shape, generator=rng, device=times.device)

    def estimates(x: Tensor, sigma: Tensor) -> Tensor:
        return torch.cat([denoise(part, sigma) for part in x.split(CHUNK)])

    with torch.inference_mode():
        x = sigmas[0] * randn()
        for sigma, target in pairwise(sigmas):
            clean = estimates(x, sigma)
            fitness(_likeliest(space, clean))
            estimate = clean + _pull(fitness, x, sigma, scale)
            kept = (target / sigma) ** 2
            x = estimate + kept * (x - estimate) + target * torch.sqrt(1 - kept) * randn()
        return space.decode(estimates(x, sigmas[-1]).cpu().numpy())


def _likeliest(space: SearchSpace, clean: Tensor) -> list[Architecture]:
    """Return the valid ones among the architectures of the likeliest allowed operations."""
    allowed = torch.from_numpy(space.allowed).to(clean.device)
    chosen = clean.masked_fill(~allowed, -torch.inf).argmax(-1)
    likeliest = space.architectures(chosen.cpu().numpy())
    return [architecture for architecture in likeliest if space.is_valid(architecture)]


def _pull(fitness: Fitness, x: Tensor, sigma: Tensor, scale: float) -> Tensor:
    """Return by how much fitness moves the estimate of x_0, `batch x N x F`."""
    values = np.array(list(fitness.known.values()))
    if len(values) == 0 or values.std() == 0:
        return torch.zeros_like(x)
    standard = torch.from_numpy((values - values.mean()) / values.std()).to(x)
    asked = torch.from_numpy(fitness.space.encode(list(fitness.known))).to(x).flatten(1)
    moved = []
    for part in x.flatten(1).split(CHUNK):
        # |x - x_0|^2 without what is the same for all one-hot x_0.
        fit = SHARPNESS / sigma**2 * (part @ asked.T)
        moved.append(((fit + scale * standard).softmax(1) - fit.softmax(1)) @ asked)
    return torch.cat(moved).view_as(x)
