"""Generators of the declared example spaces: how long they train, and how valid what they draw is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from diffusionnag.diffusion.denoiser_training import Progress, TrainingRun
from diffusionnag.diffusion.recipes import get_recipe
from diffusionnag.generation.generator_training import train_generator
from diffusionnag.generation.metrics import generation_quality
from diffusionnag.spaces import get_search_space
from experiments.generation.generated_wiring import SAMPLES, draw_and_mend
from experiments.result_table import ResultTable

STEPS = {"staged_cnn": 2_500, "transformer": 2_500, "tabular_mlp": 1_000}
"""Steps that the generator of each example is trained for."""
FOLDER = Path("examples")


def declared_spaces(report: Callable[[str], None]) -> ResultTable:
    """Return training time, validity, uniqueness and novelty for each declared example.

    To be run in the folder that holds `examples/`.
    """
    rows = []
    for name, steps in STEPS.items():
        space = get_search_space(str(FOLDER / f"{name}.yaml"))
        run = TrainingRun.start(space, get_recipe("fast", space), seed=0)

        def tell(progress: Progress, name: str = name) -> None:
            if progress.step % 100 == 0:
                report(f"{name}: step {progress.step} of {progress.steps}")

        started = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            generator = train_generator(run, Path(folder), steps=steps, report=tell)
        seconds = time.process_time() - started
        drawn, mended = draw_and_mend(generator)
        quality = generation_quality(space, drawn, generator.training_set)
        after_mending = quality.validity + 100 * len(mended) / SAMPLES
        size = f"{space.size:,}" if space.size < 1e6 else f"{space.size:.1e}"
        rows.append(
            (
                *(name, size, str(len(space.nodes)), str(steps), f"{seconds:.0f}"),
                *(f"{quality.validity:.2f}", f"{after_mending:.2f}"),
                *(f"{quality.uniqueness:.2f}", f"{quality.novelty:.2f}"),
            )
        )
    return ResultTable(
        title=f"Declared spaces: {SAMPLES:,} samples of generators trained for each",
        columns=(
            *("space", "architectures", "nodes", "training steps", "CPU seconds"),
            *("validity %", "after mending %", "uniqueness %", "novelty %"),
        ),
        rows=tuple(rows),
        notes=(
            "The files in examples/; trained as `train-generator FILE --steps N` does, "
            "recipe fast, seed 0. Seconds of CPU, all threads together, are those of training and "
            "calibration, the training set included.",
            "Validity is that of the network itself; mending takes the likeliest valid architecture "
            "under its probabilities.",
        ),
    )
