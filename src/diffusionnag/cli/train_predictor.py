"""`diffusionnag train-predictor`: learn a property from measured architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HELD_OUT_SHARE = 0.1


def train_predictor(
    space: Annotated[str, typer.Argument(help="Search space, or FILE.py:Class for your own.")],
    data: Annotated[
        str, typer.Option(help="Table: a .parquet, .csv or .jsonl file, or an installed table.")
    ],
    column: Annotated[str, typer.Option("--property", help="Column to learn.")],
    out: Annotated[Path, typer.Option(help="Folder for the trained predictor.")],
    noise_aware: Annotated[
        bool, typer.Option("--noise-aware", help="Train on noised architectures (paper).")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
) -> None:
    """Train a property predictor; its error is measured on a held-out tenth of the data."""
    import numpy as np

    from diffusionnag.benchmarks import known_tables, read_table
    from diffusionnag.cli.console import (
        command_line,
        machine,
        messages,
        progress_bar,
        results,
        today,
    )
    from diffusionnag.files import prepare_folder
    from diffusionnag.model_card import About
    from diffusionnag.predictors.property_predictor import PropertyPredictor
    from diffusionnag.predictors.quality import prediction_quality
    from diffusionnag.seeds import numpy_generator
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    installed = known_tables(search_space.name)
    table = installed[data]() if data in installed else read_table(Path(data))
    values = table.column(column)
    measured = np.flatnonzero(np.isfinite(values))
    if len(measured) < len(values):
        messages.print(f"{len(values) - len(measured)} rows without a value are left out")
    architectures = [search_space.parse(table.architectures[row]) for row in measured]
    values = values[measured]
    order = numpy_generator(seed).permutation(len(values))
    held_out, seen = np.split(order, [max(2, round(HELD_OUT_SHARE * len(order)))])
    prepare_folder(out)
    with progress_bar() as bar:

        def fitted(rows: np.ndarray, description: str) -> PropertyPredictor:
            task = bar.add_task(description, total=None, note="")
            predictor = PropertyPredictor(search_space, column, noise_aware=noise_aware)
            return predictor.fit(
                [architectures[row] for row in rows],
                values[rows],
                seed=seed,
                report=lambda step, steps: bar.update(task, completed=step, total=steps),
            )

        judged = fitted(seen, "fitting nine tenths, to measure the error")
        mean, std = judged.predict([architectures[row] for row in held_out])
        quality = prediction_quality(mean, std, values[held_out])
        predictor = fitted(order, "fitting all")
    predictor.about = About(
        command=command_line(),
        data=f"{table.name}: {len(values)} architectures, column {column}",
        date=today(),
        machine=machine(),
        quality={
            f"{name}, on a held-out tenth": value
            for name, value in quality.items()
            if np.isfinite(value)
        },
    )
    predictor.save_pretrained(out)
    for name, value in quality.items():
        results.print(f"{name}: {value:.4f}")
    messages.print(f"saved in {out}; use it with: diffusionnag generate {space} --guide {out}")
