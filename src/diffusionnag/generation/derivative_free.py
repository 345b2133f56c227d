"""Guidance by any function of architectures, without a gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

from diffusionnag._devices import torch_defaults
from diffusionnag.diffusion.evolution import Fitness, FitnessFunction, evolve
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation._ancestral import check_numbers, start
from diffusionnag.generation._collection import Collection
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.samples import Samples
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.spaces import Architecture


@dataclass(frozen=True)
class Evolved:
    """All that a fitness function was asked for."""

    fitness: list[float]
    """Of each of the samples."""
    asked: dict[Architecture, float]
    """Each architecture that the function was asked for, once, with its answer."""


@torch_defaults()
def sample_derivative_free(
    generator: Generator,
    count: int,
    fitness: FitnessFunction,
    *,
    scale: float = GUIDANCE_SCALE,
    population: int = 256,
    sampling: Sampling = Sampling(),
) -> Samples[Evolved]:
    """Generate `count` architectures of high fitness, by any function of a list of architectures.

    `fitness` returns a number for each, more being fitter, and is asked once for each distinct
    architecture: at most `population` (`count`, if that is more) at each step. `scale` counts in
    units of the spread of all that was asked, and replaces a strength; below 0 it looks for the
    unfit. Raises DiffusionNAGError for a number below 1, a scale that is not finite, another solver
    than the ancestral one, a function that fails or returns anything but finite numbers, or when
    validity cannot be reached.
    """
    check_numbers(count=count, population=population, steps=sampling.steps)
    if not math.isfinite(scale):
        raise DiffusionNAGError(f"the scale is {scale}; give a finite number")
    space, sde = generator.search_space, generator.denoiser.sde
    asked = Fitness(fitness, space)
    rng, times = start(generator, sampling)
    collection = Collection(space, count, distinct=False, limits=[])
    while not collection.complete:
        collection.add(
            evolve(generator.denoise, asked, sde, times, max(population, count), rng, scale=scale)
        )
    samples = collection.samples()
    details = Evolved(asked(samples.architectures).tolist(), asked.known)
    return Samples(
        samples.architectures, samples.drawn, samples.rejected, details, samples.unbuildable
    )
