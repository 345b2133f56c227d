"""`diffusionnag search`: the best architecture of a space for the fewest measurements."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusionnag.cli.options import Cpus, ExecutorName, Gpus, Workers

if TYPE_CHECKING:
    from optuna.study import Study

    from diffusionnag.cli.search_task import SearchTask
    from diffusionnag.execution import Executor

MOST_DRAWN = 3
"""Objectives that a picture shows by each other."""


def search(
    space: Annotated[
        str, typer.Argument(help="Search space, or your own: FILE.yaml, FILE.py:NAME.")
    ],
    objective: Annotated[
        list[str] | None,
        typer.Option(
            help="What to measure: table:TABLE:COLUMN, the table being a .parquet, .csv or .jsonl "
            "file or an installed one; surrogate:TABLE:COLUMN, learnt from all rows of one; "
            "python:FILE.py:FUNCTION, which is given an architecture; or training:IMAGES,epochs=20, "
            "the accuracy after training. =min behind it to lower it. May "
            "be repeated: the search is then for their front, and the name of another column, or of "
            "another value that the function returns or --evaluate prints, will do.",
            metavar="TEXT[=max|=min]",
        ),
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(
            help="A shell command that measures: 'python train.py --arch {architecture}'. Its last "
            "line of output is a number, or a JSON object of numbers by name.",
            metavar="COMMAND",
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which the command is killed.")
    ] = None,
    retries: Annotated[int, typer.Option(help="How often to repeat a command that fails.")] = 0,
    cost: Annotated[
        str | None,
        typer.Option(
            help="What to sum over all measurements, by its name or as an objective: train_seconds.",
            metavar="NAME",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option(help="How many to measure, with those of an earlier run.")
    ] = 100,
    pruner: Annotated[
        str,
        typer.Option(
            help="hyperband, asha or median: end trainings early that fall behind at the same epoch."
        ),
    ] = "none",
    searcher: Annotated[
        str,
        typer.Option(
            help="diffusionnag, or to compare with: random, rea, reinforce, local-search, bananas, "
            "gp-ucb, nas-bowl, tpe or optuna-gp, which have no further options."
        ),
    ] = "diffusionnag",
    acquisition: Annotated[
        str | None, typer.Option(help="EI (if left out), PI, UCB or ITS.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="Candidates: guided (if left out), mutation, mutation+random or random."),
    ] = None,
    warm_up: Annotated[
        int | None, typer.Option(help="Measurements before the first proposal; 5 if left out.")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Measure what this property predicts to be best at first, in place of random draws, "
            "and learn how what is measured differs from it: a shipped predictor such as cifar10, an "
            "analytic property, or the folder of a predictor; with --data, a folder of meta-train.",
            metavar="NAME_OR_FOLDER",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Start from the accuracy that transfer predicts for these images: a folder with one "
            "folder a class, or a Parquet file."
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Limit on what is known before measuring, that every proposal keeps: "
            "'params<=1.0M', 'latency:pixel3<=15', as generate has it. May be repeated.",
            metavar="NAME_OR_PATH<=VALUE",
        ),
    ] = None,
    limit_probability: Annotated[
        float, typer.Option(help="Probability with which predicted properties keep a limit.")
    ] = 0.5,
    constraint: Annotated[
        list[str] | None,
        typer.Option(
            help="Bound on what is measured, by its name or as an objective, that is learnt: "
            "'energy<=3.5', 'table:nasbench201_latency_ms:latency:pixel3<=15'. May be repeated.",
            metavar="NAME<=VALUE",
        ),
    ] = None,
    minimize: Annotated[bool, typer.Option("--minimize", help="Less is better.")] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Where to keep the study: sqlite:///search.db, a journal search.log, or "
            "postgresql://...; the same command then goes on with it. In memory if left out.",
            metavar="URL",
        ),
    ] = None,
    workers: Workers = 1,
    executor: ExecutorName = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    study: Annotated[
        str | None, typer.Option(help="Name of the study; space and objective if left out.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many of the best to print.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="All measured, best first, as JSON lines into this file.")
    ] = None,
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
    from diffusionnag.cli.console import require_packages

    require_packages("search", "optuna", "botorch")
    if any(text.startswith("training:") for text in objective or ()):
        require_packages("train", "lightning_fabric", "tensorboard")
    from diffusionnag.cli.output import check_output
    from diffusionnag.cli.search_task import SearchTask
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.execution import ProcessExecutor, new_executor
    from diffusionnag.search.storages import shared_storage

    check_output(top, out, plot)
    if plot is not None and len(objective or ()) > MOST_DRAWN:
        raise DiffusionNAGError(f"--plot draws up to {MOST_DRAWN} objectives; leave it out")
    chosen = new_executor(executor, workers, cpus=cpus, gpus=gpus)
    share = shared_storage if isinstance(chosen, ProcessExecutor) else nullcontext
    with share(storage) as shared:
        task = SearchTask(
            space,
            tuple(objective or ()),
            evaluate=evaluate,
            timeout=timeout,
            retries=retries,
            cost=cost,
            trials=trials,
            pruner=pruner,
            minimize=minimize,
            constraints=tuple(constraint or ()),
            limits=tuple(limit or ()),
            limit_probability=limit_probability,
            searcher=searcher,
            acquisition=acquisition,
            strategy=strategy,
            warm_up=warm_up,
            start_from=start_from,
            data=data,
            generator=generator,
            seed=seed,
            storage=shared,
            study=study,
        )
        _run_and_show(task, chosen, workers, top, out, plot)


def _run_and_show(
    task: SearchTask,
    executor: Executor,
    workers: int,
    top: int,
    out: Path | None,
    plot: Path | None,
) -> None:
    from diffusionnag.artifacts.run_records import write_run_record
    from diffusionnag.cli.console import messages, progress_bar, results
    from diffusionnag.cli.searched import (
        cost_of,
        draw_search,
        note_of,
        origin_of,
        show_best,
        write_measured,
    )
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.execution import LocalExecutor
    from diffusionnag.search.study import (
        count_finished,
        last_failure,
        measured_trials,
        note_origin,
        pruned_trials,
    )
    from diffusionnag.search.workers import run_workers

    opened = task.open()
    origin = origin_of(opened)
    note_origin(opened.study, origin)
    before = count_finished(opened.study)
    if before:
        messages.print(f"going on with {before} finished trials of this study", markup=False)

    with progress_bar() as bar:
        line = bar.add_task("measuring", total=task.trials, completed=before, note="")

        def show(current: Study) -> None:
            note = note_of(opened.problem, current)
            bar.update(line, completed=count_finished(current), note=note)

        show(opened.study)
        if isinstance(executor, LocalExecutor):
            opened.run(show)
        else:
            run_workers(opened, task.open, executor, workers, show)

    found, ended = measured_trials(opened.study), count_finished(opened.study)
    if ended < task.trials:
        kept = " within the limits" if task.limits else ""
        messages.print(f"after {ended} trials nothing was left to propose{kept}", markup=False)
    pruned = len(pruned_trials(opened.study))
    if pruned:
        messages.print(f"{pruned} trials were pruned")
    failed = ended - len(found) - pruned
    if failed:
        reason = last_failure(opened.study)
        messages.print(f"{failed} trials gave no value; the last: {reason}", markup=False)
    if not found:
        raise DiffusionNAGError("no trial gave a value; check the objective")
    if opened.problem.cost is not None:
        results.print(cost_of(opened.problem, opened.study), markup=False)
    show_best(opened.space, opened.problem, found, top)
    if out is not None:
        write_measured(opened.space, opened.problem, found, out)
        write_run_record(out, origin)
        messages.print(f"written to {out}", markup=False)
    if plot is not None:
        title = f"Search of {opened.space.name} by {task.searcher}"
        draw_search(plot, opened.problem, found, title, opened.sampler.warm_up)
