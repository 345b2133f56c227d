"""Generators of spaces that none ships for: trained once, and kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from diffusionnag.diffusion.denoiser_training import Progress, TrainingRun
from diffusionnag.diffusion.recipes import get_recipe
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.generator_training import train_generator
from diffusionnag.spaces import SearchSpace


def kept_generator(
    space: SearchSpace, folder: Path, steps: int, report: Callable[[str], None]
) -> Generator:
    """Return the generator in a folder, trained there by the fast recipe with seed 0 if it is missing."""
    if not folder.exists():
        run = TrainingRun.start(space, get_recipe("fast", space), seed=0)

        def tell(progress: Progress) -> None:
            if progress.step % 100 == 0:
                report(f"generator of {space.name}: step {progress.step} of {progress.steps}")

        with tempfile.TemporaryDirectory() as kept:
            generator = train_generator(run, Path(kept), steps=steps, report=tell)
        generator.save_pretrained(folder)
    return Generator.from_pretrained(folder, search_space=space)
