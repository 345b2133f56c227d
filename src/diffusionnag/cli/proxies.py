"""`diffusionnag proxies`: what untrained networks tell, and a predictor of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffusionnag.cli.fitting import fit_shown
from diffusionnag.cli.options import (
    Cpus,
    ExecutorName,
    Gpus,
    Resolution,
    Seed,
    Space,
    Width,
    Workers,
)


def proxies(
    space: Space,
    data: Annotated[
        str,
        typer.Option(help="What the networks are for: as in `train`, images, texts or a table."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the scores and their predictor.")],
    count: Annotated[int, typer.Option("-n", help="How many random architectures.")] = 500,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="A proxy that counts, by name; repeatable. Left out: nwot, synflow, jacov, "
            "trainability and flops, and others besides that tell networks apart."
        ),
    ] = None,
    batch: Annotated[int, typer.Option(help="Examples that each network sees.")] = 64,
    resolution: Resolution = None,
    width: Width = 1.0,
    seed: Seed = 0,
    workers: Workers = 1,
    executor: ExecutorName = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
) -> None:
    """Score random networks without training them, and learn the scores; run again, it resumes.

    The mean of ranks, `proxies`, then guides (`generate --guide FOLDER`) and starts a search
    (`search --start-from FOLDER`) where nothing is measured yet; the search learns how others count.
    """
    import numpy as np

    from diffusionnag.cli.console import messages, origin, progress_bar, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.execution import new_executor
    from diffusionnag.networks import OwnFit, load_data
    from diffusionnag.predictors import FEWEST_ARCHITECTURES, MOST_FOR_GAUSSIAN_PROCESS
    from diffusionnag.proxies import (
        COMBINED,
        FURTHER_PROXIES,
        ProxySettings,
        score_space,
        single_scores,
    )
    from diffusionnag.proxies.scoring import TABLE_FILE
    from diffusionnag.spaces import get_search_space
    from diffusionnag.tables import clean_measurements

    search_space = get_search_space(space)
    settings = (
        ProxySettings(tuple(proxy), batch, seed)
        if proxy
        else ProxySettings(batch=batch, seed=seed, besides=FURTHER_PROXIES)
    )
    if count < FEWEST_ARCHITECTURES:
        raise DiffusionNAGError(
            f"-n is {count}; at least {FEWEST_ARCHITECTURES} are needed to learn from"
        )
    chosen = new_executor(executor, workers, cpus=cpus, gpus=gpus)
    examples = load_data(data, search_space, resolution=resolution, width=width, seed=seed)
    if isinstance(examples, OwnFit):
        raise DiffusionNAGError("proxies need a batch of data, and one's own training shows none")
    with progress_bar() as bar:
        scoring = bar.add_task("scoring", total=count, note="")
        table = score_space(
            search_space,
            examples,
            count,
            out,
            settings,
            executor=chosen,
            report=lambda done, total: bar.update(scoring, completed=done, total=total),
        )
        scored = int(np.isfinite(table.column(COMBINED)).sum())
        if scored < FEWEST_ARCHITECTURES:
            raise DiffusionNAGError(
                f"only {scored} of {len(table.architectures)} networks have scores; "
                f"`diffusionnag check {space}` tells what fails, --proxy names other proxies"
            )
        measured = clean_measurements(table, search_space, COMBINED)
        few = len(measured.values) <= MOST_FOR_GAUSSIAN_PROCESS
        besides = settings.besides if few else ()
        single = single_scores(table, search_space, measured.architectures, besides)
        predictor = fit_shown(search_space, COMBINED, measured, seed, bar, scoring, aspects=single)
    predictor.about = origin(
        data=f"{', '.join(settings.names)} of {len(measured.values)} untrained networks on {data}",
        quality=predictor.about.quality,
    )
    predictor.save_pretrained(out)
    lost = len(table.architectures) - len(measured.values)
    if lost:
        messages.print(f"{lost} networks have no scores and are left out", highlight=False)
    for measure, value in predictor.about.quality.items():
        results.print(f"{measure}: {value:.4g}")
    results.print(f"scores: {out / TABLE_FILE}", markup=False)
    messages.print(f"use it with: diffusionnag generate {space} --guide {out}", markup=False)
