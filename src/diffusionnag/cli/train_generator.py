"""`diffusionnag train-generator`: learn a search space, from its architectures alone."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffusionnag.cli.options import Device, Seed, Space

QUALITY_SAMPLES = 10_000
"""Samples that the quality of a generator is measured on, if that takes no longer than training."""
FEWEST_SAMPLES = 16
USEFUL_VALIDITY = 50.0
"""Below so many valid samples in a hundred a generator is not recommended."""


def train_generator(
    space: Space,
    out: Annotated[Path, typer.Option(help="Folder for the trained generator.")],
    recipe: Annotated[str, typer.Option(help="fast, or paper (as published).")] = "fast",
    minutes: Annotated[float | None, typer.Option(help="Train for about so long.")] = None,
    steps: Annotated[int | None, typer.Option(help="Train for so many steps.")] = None,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Train the generator of a search space; an interrupted training is resumed."""
    from diffusionnag._devices import check_device
    from diffusionnag._files import prepare_folder
    from diffusionnag._seeds import check_seed
    from diffusionnag.artifacts.checkpoints import CONFIG_FILE, read_config
    from diffusionnag.artifacts.training_state import remove_state
    from diffusionnag.cli.console import (
        messages,
        origin,
        progress_bar,
        results,
    )
    from diffusionnag.diffusion.denoiser_training import Progress, TrainingRun
    from diffusionnag.diffusion.recipes import get_recipe
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.generation import generator_training
    from diffusionnag.generation.metrics import generation_quality, seconds_per_sample
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    chosen = get_recipe(recipe, search_space)
    check_device(device)
    if steps is not None and minutes is not None:
        raise DiffusionNAGError("give --steps or --minutes, not both")
    if (steps is not None and steps < 1) or (minutes is not None and not 0 < minutes < math.inf):
        raise DiffusionNAGError("--steps and --minutes must be finite and above 0")
    check_seed(seed)
    prepare_folder(out)
    if (out / CONFIG_FILE).exists():
        trained_as = read_config(out).get("origin")
        raise DiffusionNAGError(
            f"{out} holds a trained generator ({trained_as}); use another folder"
        )

    run = TrainingRun.start(search_space, chosen, seed, device)
    with progress_bar() as bar:
        task = bar.add_task(f"training {search_space.name}", total=None, note="")

        def report(progress: Progress) -> None:
            note = f"loss {progress.loss:.3f}"
            if progress.validity == progress.validity:
                note += f", valid {progress.validity:.1f} %"
            bar.update(task, completed=progress.step, total=progress.steps, note=note)

        def counted(done: int, rounds: int) -> None:
            bar.update(task, note=f"calibrating by samples, {done} of {rounds}")

        generator = generator_training.train_generator(
            run, out, steps=steps, minutes=minutes, report=report, counted=counted
        )
        affordable = int(run.seconds / seconds_per_sample(generator))
        samples = min(affordable, QUALITY_SAMPLES)
        quality = None
        if samples >= FEWEST_SAMPLES:
            bar.update(task, note=f"drawing {samples} architectures to measure its quality")
            drawn = generator.draw(samples)
            quality = generation_quality(search_space, drawn, generator.training_set)
    measured = {"training time, seconds": round(run.seconds, 1)}
    if quality is not None:
        measured |= {
            f"validity of {samples} samples before repair, %": quality.validity,
            f"uniqueness of {samples} samples, %": quality.uniqueness,
            f"novelty of {samples} samples, %": quality.novelty,
        }
    generator.about = origin(
        data=f"architectures of {search_space.name}, no labels",
        quality={name: value for name, value in measured.items() if math.isfinite(value)},
    )
    generator.save_pretrained(out)
    remove_state(out)
    usage = ""
    trained = f"{run.step} steps in {run.seconds:.0f} s"
    if quality is None:
        results.print(
            f"{trained}; too short a training to measure what it is good for: that takes longer"
        )
    elif quality.validity < USEFUL_VALIDITY:
        results.print(
            f"{trained}; of {samples} samples {quality.validity:.2f} % are valid: it is not usable "
            "yet; train longer, into another folder"
        )
    else:
        results.print(
            f"{trained}; of {samples} samples {quality.validity:.2f} % are valid, "
            f"{quality.uniqueness:.2f} % of those distinct, {quality.novelty:.2f} % not in the "
            "training set"
        )
        words = ("diffusionnag", "generate", space, "--generator", str(out))
        usage = f"; use it with: {shlex.join(words)}"
    messages.print(f"saved in {out}{usage}", markup=False)
