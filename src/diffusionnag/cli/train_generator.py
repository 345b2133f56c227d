"""`diffusionnag train-generator`: learn a search space, from its architectures alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from diffusionnag.cli.options import Device, Seed, Space

QUALITY_SAMPLES = 10_000
SLOW_SOLVER_STEPS = 100
SLOW_QUALITY_SAMPLES = 64
"""A generator of the paper's recipe takes a minute for these, and hours for ten thousand."""


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
    from diffusionnag.artifacts.training_state import STATE_FILE
    from diffusionnag.cli.console import (
        messages,
        origin,
        progress_bar,
        results,
    )
    from diffusionnag.diffusion.denoiser_training import Progress, TrainingRun, train
    from diffusionnag.diffusion.recipes import get_recipe
    from diffusionnag.diffusion.solvers import get_solver
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.generation.generator import Generator, Origin
    from diffusionnag.generation.metrics import generation_quality
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
        found = read_config(out).get("origin")
        raise DiffusionNAGError(f"{out} holds a trained generator ({found}); use another folder")

    run = TrainingRun.start(search_space, chosen, seed, device)
    with progress_bar() as bar:
        task = bar.add_task(f"training {search_space.name}", total=None, note="")

        def report(progress: Progress) -> None:
            note = f"loss {progress.loss:.3f}"
            if progress.validity == progress.validity:
                note += f", valid {progress.validity:.1f} %"
            bar.update(task, completed=progress.step, total=progress.steps, note=note)

        denoiser = train(run, out, steps=steps, minutes=minutes, report=report)
        generator = Generator(search_space, denoiser, chosen.solver, Origin(recipe, run.step, seed))
        slow = get_solver(chosen.solver).steps > SLOW_SOLVER_STEPS
        samples = SLOW_QUALITY_SAMPLES if slow else QUALITY_SAMPLES
        bar.update(task, note=f"drawing {samples} architectures to measure its quality")
        quality = generation_quality(search_space, generator.draw(samples), generator.training_set)
    measured = {
        f"validity of {samples} samples before repair, %": quality.validity,
        f"uniqueness of {samples} samples, %": quality.uniqueness,
        f"novelty of {samples} samples, %": quality.novelty,
        "training time, seconds": round(run.seconds, 1),
    }
    generator.about = origin(
        data=f"architectures of {search_space.name}, no labels",
        quality={name: value for name, value in measured.items() if math.isfinite(value)},
    )
    generator.save_pretrained(out)
    (out / STATE_FILE).unlink(missing_ok=True)
    results.print(
        f"{run.step} steps in {run.seconds:.0f} s; of {samples} samples "
        f"{quality.validity:.2f} % are valid, {quality.uniqueness:.2f} % of those distinct, "
        f"{quality.novelty:.2f} % not in the training set"
    )
    messages.print(f"saved in {out}; use it with: diffusionnag generate {space} --generator {out}")
