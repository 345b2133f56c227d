"""Two more ways to guide a generator: exactly, by resampling, and without any gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffusionnag._seeds import check_seed
from diffusionnag.diffusion.evolution import Fitness, FitnessFunction, evolve
from diffusionnag.diffusion.guided import Strength
from diffusionnag.diffusion.particles import walk_particles
from diffusionnag.diffusion.solvers import get_solver, time_grid
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.samples import Collection
from diffusionnag.guidance import Guidance, Property, maximize
from diffusionnag.guidance.feasibility import limits_of
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.spaces import Architecture

RESAMPLING_STEPS = 64
"""Weights stay even only while each step is small."""


@dataclass(frozen=True)
class Resampled:
    """Valid architectures that follow the tilted distribution, with how reliably they do."""

    architectures: list[Architecture]
    effective_sample_size: tuple[float, ...]
    """At each step, and once decoded: how many particles counted, as a share of all."""
    rejected: int
    """How many particles ended invalid, or beyond a limit."""


@dataclass(frozen=True)
class Evolved:
    """Valid architectures that a fitness function pulled, with all that it was asked."""

    architectures: list[Architecture]
    fitness: list[float]
    """Of each of the architectures."""
    asked: dict[Architecture, float]
    """Each architecture that the function was asked for, once, with its answer."""


def sample_resampled(
    generator: Generator,
    count: int,
    *,
    guide: Guidance | Property,
    particles: int = 1_024,
    steps: int | None = None,
    seed: int = 0,
    strength: Strength | None = None,
) -> Resampled:
    """Generate `count` architectures with probability p(A) exp(log-likelihood of A under the guide).

    p is the generator's own distribution by ancestral steps, within the guide's limits; plain
    guidance only comes near it. It holds as `particles` grow, and an effective sample size near 0
    says that they were too few: take more of them, more steps, or a lower weight. `count` above
    the particles repeats them. Memory grows with particles x N x F, time with particles x steps.
    Raises DiffusionNAGError for a number below 1, a guide of another space, limits that nothing
    keeps, or where no particle ends valid and within them.
    """
    _check(count=count, particles=particles, steps=steps)
    space, denoiser = generator.search_space, generator.denoiser
    guide = maximize(guide) if isinstance(guide, Property) else guide
    limits = limits_of(guide, space)

    def within_limits(architectures: Sequence[Architecture]) -> np.ndarray:
        return np.all([limit.keeps(architectures) for limit in limits], axis=0)

    rng, times = _start(generator, steps or RESAMPLING_STEPS, seed)
    walked = walk_particles(
        denoiser,
        guide,
        space,
        denoiser.sde,
        times,
        particles,
        rng,
        strength=strength,
        allowed=within_limits if limits else None,
    )
    return Resampled(
        walked.draw(count, rng),
        walked.effective_sample_size,
        int(walked.log_weights.isneginf().sum()),
    )


def sample_derivative_free(
    generator: Generator,
    count: int,
    fitness: FitnessFunction,
    *,
    scale: float = GUIDANCE_SCALE,
    population: int = 256,
    steps: int | None = None,
    seed: int = 0,
) -> Evolved:
    """Generate `count` architectures of high fitness, by any function of a list of architectures.

    `fitness` returns a number for each, more being fitter, and is asked once for each distinct
    architecture: at most `population` (`count`, if that is more) at each step. `scale` counts in
    units of the spread of all that was asked; below 0 it looks for the unfit. Raises
    DiffusionNAGError for a number below 1, a scale that is not finite, a function that fails or
    returns anything but finite numbers, or when validity cannot be reached.
    """
    _check(count=count, population=population, steps=steps)
    if not math.isfinite(scale):
        raise DiffusionNAGError(f"a scale of {scale} is no scale; give a finite number")
    space, denoiser = generator.search_space, generator.denoiser
    asked = Fitness(fitness, space)
    rng, times = _start(generator, steps or get_solver("ancestral").steps, seed)
    collection = Collection(space, count, distinct=False, limits=[])
    while not collection.complete:
        walked = evolve(
            denoiser, asked, denoiser.sde, times, max(population, count), rng, scale=scale
        )
        collection.add(walked)
    architectures = collection.samples().architectures
    return Evolved(architectures, asked(architectures).tolist(), asked.known)


def _start(generator: Generator, steps: int, seed: int) -> tuple[torch.Generator, torch.Tensor]:
    device = next(generator.denoiser.parameters()).device
    times = time_grid(generator.denoiser.sde, steps, get_solver("ancestral").spacing, device)
    return torch.Generator(device).manual_seed(check_seed(seed)), times


def _check(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise DiffusionNAGError(f"{name} is {number}; ask for at least 1")
