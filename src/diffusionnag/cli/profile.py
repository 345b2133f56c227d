"""`diffusionnag profile`: the latencies of this machine, and a predictor of them."""

from __future__ import annotations

from typing import Annotated

import typer

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

FOLDS = 5


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
        fit_judged,
        held_out_parts,
    )
    from diffusionnag.spaces import get_search_space
    from diffusionnag.tables import clean_measurements

    search_space = get_search_space(space)
    task = task_of(search_space, resolution=resolution, width=width, context=context)
    settings = ProfileSettings(LatencySettings(backend, threads, batch, repeats), task)
    column = latency_name(name)
    if shipped_folder(KIND, checkpoint_name(space, column)):
        raise DiffusionNAGError(f"{column} is a shipped predictor; give this one another --name")
    if count < FEWEST_ARCHITECTURES:
        raise DiffusionNAGError(
            f"-n is {count}; at least {FEWEST_ARCHITECTURES} are needed to learn from"
        )
    folder = own_folder(KIND, checkpoint_name(space, column))
    with progress_bar() as bar:
        measuring = bar.add_task("measuring", total=count, note="")
        table = profile_space(
            search_space,
            column,
            count,
            folder,
            settings,
            seed=seed,
            report=lambda done, total: bar.update(measuring, completed=done, total=total),
        )
        measured = clean_measurements(table, search_space, column)
        parts = held_out_parts(len(measured.values), FOLDS, seed)
        bar.reset(measuring, description="fitting", total=len(parts) + 1)
        predictor, _ = fit_judged(
            search_space,
            column,
            measured,
            parts,
            seed=seed,
            report=lambda done, note: bar.update(measuring, completed=done, note=note),
        )
    predictor.about = origin(
        data=f"{len(measured.values)} random architectures, measured on this machine",
        quality=predictor.about.quality,
    )
    predictor.save_pretrained(folder)
    for measure, value in predictor.about.quality.items():
        results.print(f"{measure}: {value:.4g}")
    quartiles = np.quantile(measured.values, (0.25, 0.5, 0.75))
    lower, middle, upper = (f"{value:.3g}" for value in quartiles)
    results.print(f"median {middle} ms, the middle half {lower} to {upper} ms")
    results.print(f"latencies: {folder / TABLE_FILE}", markup=False)
    messages.print(
        f"use it with: diffusionnag generate {space} --limit '{column}<={lower}'", markup=False
    )
