"""`diffusionnag train-predictor`: learn properties from measured architectures."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusionnag.cli.options import NoiseAware, Seed, Space

if TYPE_CHECKING:
    from diffusionnag.predictors import HeldOut


def train_predictor(
    space: Space,
    data: Annotated[
        str, typer.Option(help="Table: a .parquet, .csv or .jsonl file, or an installed table.")
    ],
    columns: Annotated[
        list[str],
        typer.Option(
            "--property",
            help="Column to learn. May be repeated: --out is then a folder of predictors by name.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the trained predictor.")],
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw measured against held-out predicted values (.png, .svg or .pdf)."),
    ] = None,
    folds: Annotated[
        int, typer.Option(help="Parts held out in turn; a table above 3,000 rows has only one.")
    ] = 5,
    start_from: Annotated[
        list[str] | None,
        typer.Option(
            help="What may tell of the property already: a shipped predictor such as cifar10 or proxies, "
            "or the folder of one. How far it does is learnt. Repeatable.",
            metavar="NAME_OR_FOLDER",
        ),
    ] = None,
    noise_aware: NoiseAware = False,
    seed: Seed = 0,
) -> None:
    """Train property predictors, after measuring their error on architectures held out in turn."""
    from diffusionnag._files import check_writable, prepare_folder
    from diffusionnag.cli.console import messages, origin, progress_bar
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.predictors import (
        MOST_FOR_GAUSSIAN_PROCESS,
        fit_judged,
        held_out_parts,
        how_judged,
        predictor_under,
    )
    from diffusionnag.report import check_picture
    from diffusionnag.spaces import get_search_space
    from diffusionnag.tables import clean_measurements, open_table

    search_space = get_search_space(space)
    if start_from and noise_aware:
        raise DiffusionNAGError("--start-from is for clean architectures: leave out --noise-aware")
    known = [predictor_under(name, search_space) for name in dict.fromkeys(start_from or ())]
    table = open_table(data, search_space)
    folders = _folders(list(dict.fromkeys(columns)), out)
    measured = {column: clean_measurements(table, search_space, column) for column in folders}
    counts = {column: len(cleaned.values) for column, cleaned in measured.items()}
    if known and max(counts.values()) > MOST_FOR_GAUSSIAN_PROCESS:
        raise DiffusionNAGError(
            f"--start-from is for up to {MOST_FOR_GAUSSIAN_PROCESS:,} architectures, and {table.name} has "
            f"{max(counts.values()):,}, which tell enough: leave it out"
        )
    parts = {column: held_out_parts(count, folds, seed) for column, count in counts.items()}
    if plot is not None:
        if len(folders) > 1:
            raise DiffusionNAGError(
                "--plot draws one property; give one --property, or leave it out"
            )
        if not all(parts.values()):
            raise DiffusionNAGError(
                f"--plot draws predictions of architectures held out, and {min(counts.values())} are "
                "too few for that"
            )
        check_picture(plot)
        # A picture may lie in the predictor's own folder, which need not exist yet.
        if plot.absolute().parent != out.absolute():
            check_writable(plot)
    for folder in folders.values():
        prepare_folder(folder)
    for line in dict.fromkeys(line for cleaned in measured.values() for line in cleaned.report):
        messages.print(line, markup=False)

    quality: dict[str, Mapping[str, float]] = {}
    with progress_bar() as bar:
        task = bar.add_task("fitting", total=sum(len(part) + 1 for part in parts.values()), note="")
        fitted = 0
        for column, folder in folders.items():
            predictor, held_out = fit_judged(
                search_space,
                column,
                measured[column],
                parts[column],
                noise_aware=noise_aware,
                starts_from=known,
                seed=seed,
                report=lambda done, note, before=fitted, column=column: bar.update(
                    task, completed=before + done, note=f"{column}, {note}"
                ),
            )
            fitted += len(parts[column]) + 1
            quality[column] = predictor.about.quality
            predictor.about = origin(
                data=f"{table.name}: {len(table.architectures)} rows, {counts[column]} distinct "
                f"architectures with a value of {column}",
                quality=quality[column],
            )
            predictor.save_pretrained(folder)
            if plot is not None:
                title = f"{column} of {search_space.name} architectures"
                _draw(held_out, plot, column, title, how_judged(parts[column]))
    _show_quality(quality)
    for column, part in parts.items():
        if not part:
            messages.print(
                f"{counts[column]} architectures are too few to hold any out and measure the error "
                f"of {column}"
            )
    # The best by a guide are found without a generator, so this holds for a space of one's own too.
    messages.print(
        f"saved in {out}; use {'them' if len(folders) > 1 else 'it'} with: diffusionnag generate "
        f"{shlex.quote(space)} {_how_to_use(list(folders.values()))}",
        markup=False,
    )
    if plot is not None:
        messages.print(f"drawn into {plot}")


def _folders(columns: Sequence[str], out: Path) -> dict[str, Path]:
    """Return the folder of each column's predictor: that asked for, or one below it for each."""
    from diffusionnag.errors import DiffusionNAGError

    if len(columns) == 1:
        return {columns[0]: out}
    folders = {column: out / re.sub(r"[^\w.-]+", "_", column) for column in columns}
    if len(set(folders.values())) < len(columns):
        raise DiffusionNAGError("two of these properties have the same name; train them one by one")
    return folders


def _draw(held_out: HeldOut, path: Path, column: str, title: str, how: str) -> None:
    """Draw measured against held-out predicted values into a picture."""
    import numpy as np

    from diffusionnag.predictors import prediction_quality
    from diffusionnag.report import plot_scatter

    quality = prediction_quality(held_out.mean, held_out.std, held_out.true)
    shown = ((name, quality[name]) for name in ("Spearman", "mean absolute error"))
    caption = [f"{name} {value:.3g}" for name, value in shown if np.isfinite(value)]
    caption.append(f"{len(held_out.true):,} architectures {how}")
    plot_scatter(
        held_out.true,
        held_out.mean,
        path,
        std=held_out.std,
        name=column,
        title=title,
        caption=", ".join(caption),
    )


def _show_quality(quality: Mapping[str, Mapping[str, float]]) -> None:
    """Print how good predictors are, by property: of one in lines, of several in a table."""
    from rich.markup import escape
    from rich.table import Table

    from diffusionnag.cli.console import results

    if len(quality) == 1:
        for name, value in next(iter(quality.values())).items():
            results.print(f"{name}: {value:.4g}")
        return
    table = Table("", *map(escape, quality), box=None, header_style="bold")
    for name in dict.fromkeys(name for values in quality.values() for name in values):
        cells = (f"{values[name]:.4g}" if name in values else "" for values in quality.values())
        table.add_row(name, *cells)
    results.print(table)


def _how_to_use(folders: Sequence[Path]) -> str:
    """Return options of `generate`: the first property raised, the others at most the median."""
    first, *others = folders
    limits = (f" --limit {shlex.quote(f'{folder}<=median')}" for folder in others)
    return f"--guide {shlex.quote(str(first))}{''.join(limits)}"
