"""`diffusionnag train-predictor`: learn a property from measured architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffusionnag.cli.options import NoiseAware, Seed, Space


def train_predictor(
    space: Space,
    data: Annotated[
        str, typer.Option(help="Table: a .parquet, .csv or .jsonl file, or an installed table.")
    ],
    column: Annotated[str, typer.Option("--property", help="Column to learn.")],
    out: Annotated[Path, typer.Option(help="Folder for the trained predictor.")],
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw measured against held-out predicted values (.png, .svg or .pdf)."),
    ] = None,
    folds: Annotated[
        int, typer.Option(help="Parts held out in turn; a table above 3,000 rows has only one.")
    ] = 5,
    noise_aware: NoiseAware = False,
    seed: Seed = 0,
) -> None:
    """Train a property predictor, after measuring its error on architectures held out in turn."""
    import numpy as np

    from diffusionnag._files import check_writable, prepare_folder
    from diffusionnag.cli.console import (
        messages,
        origin,
        progress_bar,
        results,
    )
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.predictors import fit_judged, held_out_parts, how_judged, prediction_quality
    from diffusionnag.report import check_picture, plot_scatter
    from diffusionnag.spaces import get_search_space
    from diffusionnag.tables import clean_measurements, known_tables, read_table

    search_space = get_search_space(space)
    installed = known_tables(search_space.name)
    table = installed[data]() if data in installed else read_table(Path(data))
    measured = clean_measurements(table, search_space, column)
    count = len(measured.values)
    parts = held_out_parts(count, folds, seed)
    if plot is not None:
        if not parts:
            raise DiffusionNAGError(
                f"--plot draws predictions of architectures held out, and {count} are too few for that"
            )
        check_picture(plot)
        # A picture may lie in the predictor's own folder, which need not exist yet.
        if plot.absolute().parent != out.absolute():
            check_writable(plot)
    prepare_folder(out)
    for line in measured.report:
        messages.print(line, markup=False)

    with progress_bar() as bar:
        task = bar.add_task("fitting", total=len(parts) + 1, note="")
        predictor, held_out = fit_judged(
            search_space,
            column,
            measured,
            parts,
            noise_aware=noise_aware,
            seed=seed,
            report=lambda done, note: bar.update(task, completed=done, note=note),
        )
    predictor.about = origin(
        data=f"{table.name}: {len(table.architectures)} rows, {count} distinct architectures with "
        f"a value of {column}",
        quality=predictor.about.quality,
    )
    predictor.save_pretrained(out)
    for name, value in predictor.about.quality.items():
        results.print(f"{name}: {value:.4g}")
    if not parts:
        messages.print(f"{count} architectures are too few to hold any out and measure the error")
    # The best by a guide are found without a generator, so this holds for a space of one's own too.
    messages.print(
        f"saved in {out}; use it with: diffusionnag generate {space} --guide {out}", markup=False
    )
    if plot is not None:
        quality = prediction_quality(held_out.mean, held_out.std, held_out.true)
        shown = ((name, quality[name]) for name in ("Spearman", "mean absolute error"))
        caption = [f"{name} {value:.3g}" for name, value in shown if np.isfinite(value)]
        plot_scatter(
            held_out.true,
            held_out.mean,
            plot,
            std=held_out.std,
            name=column,
            title=f"{column} of {search_space.name} architectures",
            caption=", ".join(
                [*caption, f"{len(held_out.true):,} architectures {how_judged(parts)}"]
            ),
        )
        messages.print(f"drawn into {plot}")
