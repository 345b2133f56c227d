"""`diffusionnag profile`: the latencies of this machine, and a predictor of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusionnag.cli.fitting import fit_shown
from diffusionnag.cli.options import (
    Backend,
    Batch,
    Context,
    Repeats,
    Resolution,
    Seed,
    Space,
    Threads,
    Width,
)

if TYPE_CHECKING:
    from diffusionnag.spaces import Task
    from diffusionnag.tables import Table


def profile(
    space: Space,
    count: Annotated[int, typer.Option("-n", help="How many architectures to measure.")] = 200,
    name: Annotated[
        str, typer.Option(help="What `latency:NAME` is called in guides and limits.")
    ] = "here",
    backend: Backend = "torch",
    threads: Threads = 1,
    batch: Batch = 1,
    repeats: Repeats = 50,
    resolution: Resolution = None,
    width: Width = 1.0,
    context: Context = None,
    generation: Annotated[
        bool,
        typer.Option(
            "--generation",
            help="Of language models: one more token, with a cache, in place of a whole text.",
        ),
    ] = False,
    plan: Annotated[
        Path | None,
        typer.Option(
            help="Measure nothing here: write a folder of .onnx files, with a script that measures them "
            "on another machine."
        ),
    ] = None,
    measured: Annotated[
        Path | None,
        typer.Option(help="Measure nothing here: learn from the latencies.csv of that script."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Measure random networks on this machine and learn to predict latencies; run again, it resumes.

    Then `--limit latency:here<=5` keeps to 5 ms in all commands that take limits.
    """
    import numpy as np

    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import (
        messages,
        origin,
        progress_bar,
        results,
    )

    if backend == "onnxruntime":
        require_packages("export", "onnx", "onnxscript", "onnxruntime")
    from diffusionnag.artifacts.checkpoints import own_folder, shipped_folder
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.networks import (
        LatencySettings,
        ProfileSettings,
        latency_name,
        profile_space,
        task_of,
    )
    from diffusionnag.networks.profiling import TABLE_FILE
    from diffusionnag.predictors import (
        FEWEST_ARCHITECTURES,
        KIND,
        checkpoint_name,
    )
    from diffusionnag.spaces import LanguageModelling, get_search_space
    from diffusionnag.tables import clean_measurements

    search_space = get_search_space(space)
    task = task_of(search_space, resolution=resolution, width=width, context=context)
    if generation and (plan or measured):
        raise DiffusionNAGError("--generation measures here: leave out --plan and --measured")
    if plan is not None:
        _write_plan(space, task, count, plan, seed)
        return
    settings = ProfileSettings(LatencySettings(backend, threads, batch, repeats), task, generation)
    column = latency_name(name)
    if shipped_folder(KIND, checkpoint_name(search_space.name, column)):
        raise DiffusionNAGError(f"{column} is a shipped predictor; give this one another --name")
    if count < FEWEST_ARCHITECTURES:
        raise DiffusionNAGError(
            f"-n is {count}; at least {FEWEST_ARCHITECTURES} are needed to learn from"
        )
    folder = own_folder(KIND, checkpoint_name(search_space.name, column))
    with progress_bar() as bar:
        measuring = bar.add_task("measuring", total=count, note="")
        if measured is None:
            table = profile_space(
                search_space,
                column,
                count,
                folder,
                settings,
                seed=seed,
                report=lambda done, total: bar.update(measuring, completed=done, total=total),
            )
        else:
            table = _read_latencies(measured, column)
        latencies = clean_measurements(table, search_space, column)
        predictor = fit_shown(search_space, column, latencies, seed, bar, measuring)
    predictor.about = origin(
        data=f"{len(latencies.values)} random architectures, measured "
        + ("on this machine" if measured is None else f"elsewhere: {measured}"),
        quality=predictor.about.quality,
    )
    predictor.save_pretrained(folder)
    for line in latencies.report:
        messages.print(line, markup=False)
    for measure, value in predictor.about.quality.items():
        results.print(f"{measure}: {value:.4g}")
    quartiles = np.quantile(latencies.values, (0.25, 0.5, 0.75))
    lower, middle, upper = (f"{value:.3g}" for value in quartiles)
    results.print(f"median {middle} ms, the middle half {lower} to {upper} ms")
    if isinstance(task, LanguageModelling) and measured is None:
        tokens = batch if generation else batch * task.context
        speeds = (f"{1e3 * tokens / value:,.0f}" for value in quartiles[::-1])
        what = "generation" if generation else "prompt"
        results.print(f"{what}: {' / '.join(speeds)} tokens/s, the quartiles")
    results.print(f"latencies: {measured or folder / TABLE_FILE}", markup=False)
    messages.print(
        f"use it with: diffusionnag generate {space} --limit '{column}<={lower}'", markup=False
    )


def _write_plan(space: str, task: Task, count: int, folder: Path, seed: int) -> None:
    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import messages, progress_bar, results
    from diffusionnag.networks import write_plan
    from diffusionnag.spaces import get_search_space

    require_packages("export", "onnx", "onnxscript", "onnxruntime")
    with progress_bar() as bar:
        exporting = bar.add_task("exporting", total=count, note="")
        failed = write_plan(
            get_search_space(space),
            task,
            count,
            folder,
            seed=seed,
            report=lambda done, total: bar.update(exporting, completed=done, total=total),
        )
    for reason in failed:
        messages.print(f"left out: {reason}", markup=False)
    results.print(f"written into {folder}: run measure_elsewhere.py there, on the other machine")
    messages.print(
        f"then: diffusionnag profile {space} --name MACHINE --measured {folder}/latencies.csv",
        markup=False,
    )


def _read_latencies(path: Path, column: str) -> Table:
    from dataclasses import replace

    from diffusionnag.networks.profile_plan import LATENCY
    from diffusionnag.tables import read_table

    table = read_table(path)
    return replace(table, columns={column: table.column(LATENCY)})
