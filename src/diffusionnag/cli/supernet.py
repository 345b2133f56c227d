"""`diffusionnag supernet`: one network whose weights all networks of a space share."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import typer

from diffusionnag.cli.options import (
    BatchSize,
    Cells,
    Context,
    Data,
    Device,
    Epochs,
    Resolution,
    Seed,
    Space,
    Subset,
    Target,
    TestData,
    Tokens,
    Width,
)

FOUND_FILE = "found.jsonl"
"""The cell that a one-shot search found."""


def supernet(
    space: Space,
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the shared weights.")],
    algorithm: Annotated[
        str | None,
        typer.Option(
            help="Search for the best cell of nasbench201 with shared weights: rsps, darts, gdas, setn, "
            "pc-darts or drnas. Left out, weights are trained and nothing is searched for."
        ),
    ] = None,
    progressive: Annotated[
        bool,
        typer.Option(
            "--progressive",
            help="Begin with the largest network alone; then kernels, depths and widths become "
            "choices, one after the other.",
        ),
    ] = False,
    test: TestData = None,
    target: Target = None,
    tokens: Tokens = "bytes",
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="At first; it falls to 0. 0.1 in nasbench201, 0.025 in other spaces and for an "
            "algorithm, 0.001 if the data are no images."
        ),
    ] = None,
    label_smoothing: Annotated[float, typer.Option(help="Share of the other classes.")] = 0.0,
    resolution: Resolution = None,
    context: Context = None,
    width: Width = 1.0,
    cells: Cells = None,
    subset: Subset = None,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Train the weights that all networks of a space share; an interrupted training is resumed.

    Then: search SPACE --objective supernet:FOLDER, export --weights FOLDER, train --init FOLDER.
    """
    from diffusionnag._packages import require_packages

    require_packages("train", "lightning_fabric", "PIL", "tensorboard")
    from diffusionnag._devices import check_device
    from diffusionnag._files import prepare_folder
    from diffusionnag._seeds import check_seed
    from diffusionnag.artifacts import ArchitectureRecord, write_records
    from diffusionnag.artifacts.checkpoints import CONFIG_FILE
    from diffusionnag.artifacts.training_state import remove_state
    from diffusionnag.cli.console import messages, origin, progress_bar, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.networks import OwnFit, Progress, load_data, metrics_text, task_of
    from diffusionnag.spaces import get_search_space
    from diffusionnag.supernets import (
        TrainedSupernet,
        check_algorithm,
        check_shrinks,
        search_cell,
        supernet_settings,
        train_supernet,
    )

    search_space = get_search_space(space)
    if not search_space.shares_weights:
        raise DiffusionNAGError(f"{space} has no supernet: its networks share no weights")
    sizes: dict[str, Any] = {
        "resolution": resolution,
        "width": width,
        "cells": cells,
        "context": context,
    }
    asked: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "label_smoothing": label_smoothing,
        "seed": check_seed(seed),
    }
    usual = functools.partial(supernet_settings, search_space, searches=algorithm is not None)
    usual(task=task_of(search_space, **sizes), **asked).check()
    check_device(device)
    prepare_folder(out)
    if any((out / name).exists() for name in (CONFIG_FILE, FOUND_FILE)):
        raise DiffusionNAGError(f"{out} holds a trained model; use another folder")
    if algorithm is not None:
        check_algorithm(algorithm)
    if progressive:
        check_shrinks(search_space)
    source: dict[str, Any] = {
        "data": str(Path(data).resolve()) if Path(data).exists() else data,
        "test": str(Path(test).resolve()) if test and Path(test).exists() else test,
        "target": target,
        "tokens": tokens,
        "subset": subset,
        "seed": seed,
    }
    with progress_bar() as bar:
        reading = bar.add_task("reading the data", total=None, note="")
        examples = load_data(
            space=search_space,
            **source,
            **sizes,
            report=lambda done, total: bar.update(reading, completed=done, total=total),
        )
        bar.remove_task(reading)
        if isinstance(examples, OwnFit):
            raise DiffusionNAGError("shared weights cannot be trained by a function of your own")
        if examples.skipped:
            messages.print(f"skipped {examples.skipped:,} images that cannot be read")
        training = bar.add_task("training", total=None, note="")

        def report(progress: Progress) -> None:
            last = progress.last
            note = f"loss {last.loss:.3f}, {metrics_text(last.metrics)}" if last else ""
            bar.update(training, completed=progress.step, total=progress.steps, note=note)

        settings = usual(task=examples.task, **asked)
        options: dict[str, Any] = {"device": device, "report": report}
        if algorithm is None:
            cell, measured = None, "a few networks with shared weights"
            shared, history = train_supernet(
                search_space, examples, settings, out, progressive=progressive, **options
            )
        else:
            search = search_cell(search_space, examples, algorithm, settings, out, **options)
            cell, shared, history = search.cell, search.supernet, search.history
            measured = "what was trained"
    last = history[-1]
    results.print(
        f"{last.epoch} epochs: loss {last.loss:.4f}, {metrics_text(last.metrics)} on "
        f"{examples.held_out_summary}, the mean of {measured}"
    )
    if shared is not None:
        about = origin(data=examples.summary)
        TrainedSupernet(shared, dict(examples.preparation), source, about).save(out)
    if cell is not None:
        text = search_space.format(cell)
        write_records(out / FOUND_FILE, [ArchitectureRecord(text)])
        results.print(f"found: {text}", markup=False)
    remove_state(out)
    messages.print(f"saved in {out}", markup=False)
