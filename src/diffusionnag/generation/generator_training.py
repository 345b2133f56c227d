"""From a training run to a generator: trained, and calibrated by its own samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from diffusionnag.diffusion.denoiser_training import Progress, TrainingRun, train
from diffusionnag.generation.calibration import calibrate
from diffusionnag.generation.generator import Generator, Origin

CALIBRATED_STEPS = 1_000
"""Steps from which on a generator is calibrated: a shorter training is a trial."""


def train_generator(
    run: TrainingRun,
    folder: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    counted: Callable[[int, int], None] = lambda done, rounds: None,
) -> Generator:
    """Train as `train` does, its state being kept in `folder`, and return the calibrated generator.

    One that predicts scores, or was trained for fewer than 1,000 steps, is not calibrated. `counted`
    is told the rounds of the calibration done and the number of all. Raises as `train` does.
    """
    denoiser = train(run, folder, steps=steps, minutes=minutes, report=report)
    origin = Origin(run.recipe.name, run.step, run.seed)
    generator = Generator(run.space, denoiser, run.recipe.solver, origin)
    if run.recipe.parameterisation == "probabilities" and run.step >= CALIBRATED_STEPS:
        calibrate(generator, seed=run.seed, report=counted)
    return generator
