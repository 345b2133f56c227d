"""Guidance made exact: particles that are weighted and resampled on their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag._devices import torch_defaults
from diffusionnag.diffusion.particles import walk_particles
from diffusionnag.generation._ancestral import check_numbers, start
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.samples import Samples
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Guidance, Property, maximize
from diffusionnag.guidance.feasibility import keep_limits, limits_of
from diffusionnag.networks import can_be_built
from diffusionnag.spaces import Architecture

RESAMPLING_STEPS = 64
"""Weights stay even only while each step is small."""


@dataclass(frozen=True)
class Resampled:
    """How reliably samples follow the tilted distribution."""

    effective_sample_size: tuple[float, ...]
    """At each step, and once decoded: how many particles counted, as a share of all."""


@torch_defaults()
def sample_resampled(
    generator: Generator,
    count: int,
    *,
    guide: Guidance | Property,
    particles: int = 1_024,
    sampling: Sampling = Sampling(),
) -> Samples[Resampled]:
    """Generate `count` architectures with probability p(A) exp(log-likelihood of A under the guide).

    p is the generator's own distribution by ancestral steps, within the guide's limits; plain
    guidance only comes near it. It holds as `particles` grow, and an effective sample size near 0
    says that they were too few: take more of them, more steps, or a lower weight. `count` above
    the particles repeats them. Memory grows with particles x N x F, time with particles x steps.
    Raises DiffusionNAGError for a number below 1, another solver than the ancestral one, a guide of
    another space, limits that nothing keeps, or where no particle ends valid and within them.
    """
    check_numbers(count=count, particles=particles, steps=sampling.steps)
    space = generator.search_space
    guide = maximize(guide) if isinstance(guide, Property) else guide
    limits = limits_of(guide, space)

    def allowed(architectures: Sequence[Architecture]) -> np.ndarray:
        return keep_limits(limits, architectures) & can_be_built(space, architectures)

    rng, times = start(generator, sampling, RESAMPLING_STEPS)
    walked = walk_particles(
        generator.denoise,
        guide,
        space,
        generator.denoiser.sde,
        times,
        particles,
        rng,
        strength=sampling.strength,
        allowed=allowed if limits or space.has_own_builder else None,
    )
    valid = sum(map(bool, map(space.is_valid, walked.architectures)))
    return Samples(
        walked.draw(count, rng),
        walked.architectures,
        valid - int(walked.log_weights.isfinite().sum()),
        Resampled(walked.effective_sample_size),
    )
