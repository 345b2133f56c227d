"""Ancestral steps, with the settings that a user may change."""

from __future__ import annotations

import torch

from diffusionnag._seeds import check_seed
from diffusionnag.diffusion.solvers import get_solver, time_grid
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.sampling import Sampling

ANCESTRAL = "ancestral"


def start(
    generator: Generator, sampling: Sampling, usual_steps: int | None = None
) -> tuple[torch.Generator, torch.Tensor]:
    """Return the random numbers and the times of ancestral steps, on the generator's device.

    Raises DiffusionNAGError for another solver.
    """
    if sampling.solver not in (None, ANCESTRAL):
        raise DiffusionNAGError(
            f"this way of generating takes ancestral steps; leave out the solver {sampling.solver}"
        )
    solver = get_solver(ANCESTRAL)
    device = next(generator.denoiser.parameters()).device
    steps = sampling.steps or usual_steps or solver.steps
    times = time_grid(generator.denoiser.sde, steps, solver.spacing, device)
    return torch.Generator(device).manual_seed(check_seed(sampling.seed)), times


def check_numbers(**numbers: int | None) -> None:
    """Raise DiffusionNAGError, with its name, for a number below 1."""
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise DiffusionNAGError(f"{name} is {number}; ask for at least 1")
