"""`diffusionnag search`: the best architecture of a space for the fewest measurements."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from optuna.study import Study


def search(
    space: Annotated[str, typer.Argument(help="Search space, or FILE.py:Class for your own.")],
    objective: Annotated[
        str,
        typer.Option(
            help="What to measure: table:TABLE:COLUMN, the table being a .parquet, .csv or .jsonl "
            "file or an installed one; surrogate:TABLE:COLUMN, learnt from all rows of one; or "
            "python:FILE.py:FUNCTION, which is given an architecture."
        ),
    ],
    trials: Annotated[
        int, typer.Option(help="How many to measure, with those of an earlier run.")
    ] = 100,
    acquisition: Annotated[str, typer.Option(help="EI, PI, UCB or ITS.")] = "EI",
    strategy: Annotated[
        str, typer.Option(help="Candidates: guided, mutation, mutation+random or random.")
    ] = "guided",
    warm_up: Annotated[int, typer.Option(help="Uniform draws before the first proposal.")] = 10,
    minimize: Annotated[bool, typer.Option("--minimize", help="Less is better.")] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Where to keep the study, sqlite:///search.db for a file; the same command then "
            "goes on with it. In memory if left out.",
            metavar="URL",
        ),
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Name of the study; space and objective if left out.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many of the best to print.")] = 10,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the best value so far (.png, .svg or .pdf).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same proposals.")] = 0,
    generator: Annotated[
        str | None,
        typer.Option(help="Folder or hub id of a generator; the shipped one if left out."),
    ] = None,
) -> None:
    """Search by Bayesian optimisation: measure, learn, generate candidates, measure the best."""
    from diffusionnag.errors import DiffusionNAGError

    if importlib.util.find_spec("optuna") is None or importlib.util.find_spec("botorch") is None:
        raise DiffusionNAGError(
            "a search needs Optuna and BoTorch: pip install 'diffusionnag[search]'"
        )
    import numpy as np

    from diffusionnag.cli.console import messages, progress_bar, results
    from diffusionnag.cli.searched import best_table
    from diffusionnag.files import check_writable
    from diffusionnag.generator import Generator
    from diffusionnag.report import plot_best_so_far
    from diffusionnag.report.figure import check_picture
    from diffusionnag.search import DiffusionNAGSampler, read_objective
    from diffusionnag.search.study import (
        check_trials,
        count_finished,
        last_failure,
        measured_trials,
        open_study,
        run_study,
        value_of,
    )
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    if top < 0:
        raise DiffusionNAGError(f"--top is {top}; it must be 0 or more")
    if plot is not None:
        check_picture(plot)
        check_writable(plot)
    model = None
    if generator is not None:
        model = Generator.from_pretrained(generator, search_space=search_space)
    sampler = DiffusionNAGSampler(
        search_space,
        generator=model,
        strategy=strategy,
        acquisition=acquisition,
        warm_up=warm_up,
        seed=seed,
    )
    check_trials(search_space, trials)
    measure = read_objective(objective, search_space)
    opened = open_study(sampler, objective, minimize=minimize, storage=storage, name=study)
    before = count_finished(opened)
    if before:
        messages.print(f"going on with {before} finished trials of this study", markup=False)

    with progress_bar() as bar:
        task = bar.add_task("measuring", total=trials, completed=before, note="")

        def show(current: Study) -> None:
            values = [value_of(trial) for trial in measured_trials(current)]
            best = (min if minimize else max)(values, default=None)
            note = "" if best is None else f"best so far {best:.6g}"
            bar.update(task, completed=count_finished(current), note=note)

        show(opened)
        run_study(opened, sampler, measure, trials, show)

    found = measured_trials(opened)
    failed = count_finished(opened) - len(found)
    if failed:
        reason = last_failure(opened)
        messages.print(f"{failed} trials gave no value; the last: {reason}", markup=False)
    if not found:
        raise DiffusionNAGError("no trial gave a value; check the objective")
    results.print(best_table(search_space, found, top, minimize))
    values = np.array([value_of(trial) for trial in found])
    place = int(values.argmin() if minimize else values.argmax())
    results.print(f"best: {values[place]:.6g}, found by measurement {place + 1} of {len(values)}")
    if plot is not None:
        plot_best_so_far(
            values,
            plot,
            name=objective.split(":", 2)[-1],
            title=f"Search of {search_space.name}: {acquisition}, {strategy} candidates",
            warm_up=warm_up,
            minimize=minimize,
        )
        messages.print(f"drawn into {plot}")
