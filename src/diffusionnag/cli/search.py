"""`diffusionnag search`: the best architecture of a space for the fewest measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from diffusionnag.cli.options import (
    Conditions,
    Cpus,
    ExecutorName,
    Fixed,
    GeneratorName,
    Gpus,
    LimitProbability,
    Limits,
    Out,
    Seed,
    Space,
    Top,
    Workers,
)

if TYPE_CHECKING:
    from diffusionnag.search import SearchResult

MOST_DRAWN = 3
"""Objectives that a picture shows by each other."""
GROUPS = {
    "What to measure": (
        "objectives",
        "evaluate",
        "timeout",
        "retries",
        "minimize",
        "constraints",
        "cost",
    ),
    "Where it runs": ("storage", "study", "workers", "executor", "cpus", "gpus"),
    "What it writes": ("top", "out", "plot"),
}
"""Options by the group in which `--help` shows them; the others say how to search."""


class GroupedCommand(TyperCommand):
    """The command with its options in groups."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        groups = {name: group for group, names in GROUPS.items() for name in names}
        for option in self.params:
            if isinstance(option, TyperOption) and option.name != "help":
                option.rich_help_panel = groups.get(option.name or "", "How to search")


def search(
    space: Space,
    objectives: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            help="What to raise, or with =min behind it to lower: table:TABLE:COLUMN (a .parquet, "
            ".csv or .jsonl file, or an installed table), surrogate:TABLE:COLUMN (learnt from one), "
            "python:FILE.py:FUNCTION, training:DATA,epochs=20, supernet:FOLDER, or the name of another "
            "column or value of the first one. May be repeated: the search is then for their front.",
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
        float | None,
        typer.Option(help="Seconds after which the command is killed."),
    ] = None,
    retries: Annotated[int, typer.Option(help="Repeat a failed command so often.")] = 0,
    minimize: Annotated[bool, typer.Option("--minimize", help="Less is better.")] = False,
    constraints: Annotated[
        list[str] | None,
        typer.Option(
            "--constraint",
            help="Bound on what is measured, by its name or as an objective, that is learnt: "
            "'energy<=3.5', 'table:nasbench201_latency_ms:latency:pixel3<=15'. May be repeated.",
            metavar="NAME<=VALUE",
        ),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            help="What to sum over all measurements, by its name or as an objective: train_seconds.",
            metavar="NAME",
        ),
    ] = None,
    measured: Annotated[
        str | None,
        typer.Option(
            help="What was measured before: a table with columns by the names of the objectives. Its "
            "architectures count as trials.",
            metavar="FILE[:COLUMN]",
        ),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(help="How many to measure, with those of an earlier run or of --measured."),
    ] = 100,
    searcher: Annotated[
        str,
        typer.Option(
            help="diffusionnag, or to compare with: random, rea, reinforce, local-search, bananas, "
            "gp-ucb, nas-bowl, tpe or optuna-gp, which have no further options."
        ),
    ] = "diffusionnag",
    warm_up: Annotated[
        int | None,
        typer.Option(help="Measurements before the first proposal; 5 if left out."),
    ] = None,
    until_improbable: Annotated[
        float | None,
        typer.Option(
            help="Stop when the chance that something better is left, by what has been learnt, is "
            "below this: 0.01.",
            metavar="CHANCE",
        ),
    ] = None,
    noisy: Annotated[
        bool,
        typer.Option(
            "--noisy",
            help="Measuring gives another value each time: measure promising ones again, and rank by "
            "what all measurements tell.",
        ),
    ] = False,
    start_from: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure some of what this property predicts to be best at first, and learn how far "
            "it counts: a shipped predictor such as cifar10 or proxies, an analytic property, or the "
            "folder of a predictor; with --data, a folder of meta-train too. Repeatable.",
            metavar="NAME_OR_FOLDER",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Start from the accuracy that transfer predicts for these images (a folder with one "
            "folder a class, or a Parquet file) and, unless --start-from names more, from the proxies "
            "that ship for the space."
        ),
    ] = None,
    acquisition: Annotated[
        str | None,
        typer.Option(help="EI (if left out), PI, UCB or ITS."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Candidates: guided+mutation (if left out), guided, mutation, mutation+random or random."
        ),
    ] = None,
    pruner: Annotated[
        str,
        typer.Option(
            help="hyperband, asha or median: end trainings early that fall behind at the same epoch."
        ),
    ] = "none",
    limits: Limits = None,
    limit_probability: LimitProbability = 0.5,
    fixed: Fixed = None,
    conditions: Conditions = None,
    generator: GeneratorName = None,
    seed: Seed = 0,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Where to keep the study: sqlite:///search.db, a journal search.log, or "
            "postgresql://...; the same command then resumes it. In memory if left out.",
            metavar="URL",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(help="Name of the study; space and objective if left out."),
    ] = None,
    workers: Workers = 1,
    executor: ExecutorName = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    top: Top = 10,
    out: Out = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the best value so far, or the front (.png, .svg or .pdf)."),
    ] = None,
) -> None:
    """Search by Bayesian optimisation: measure, learn, generate candidates, measure the best.

    diffusionnag search nasbench201 --objective python:measure.py:accuracy --trials 50

    diffusionnag search mobilenetv3 --evaluate 'python train.py --arch {architecture}'
    --objective accuracy --objective latency=min --limit 'macs<=300M' --storage search.log
    """
    asked = locals()  # by name, as SearchTask has them
    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import messages, origin, progress_bar

    require_packages("search", "optuna", "botorch")
    if any(text.startswith(("training:", "supernet:")) for text in objectives or ()):
        require_packages("train", "lightning_fabric", "tensorboard")
    from diffusionnag.cli.output import check_output
    from diffusionnag.cli.show_search import draw_search, note_of, show_search
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.search import SearchTask
    from diffusionnag.spaces.fixed_nodes import read_fixed

    check_output(top, out, plot)
    if plot is not None and len(objectives or ()) > MOST_DRAWN:
        raise DiffusionNAGError(f"--plot draws up to {MOST_DRAWN} objectives; leave it out")
    asked["fixed"] = read_fixed(fixed or ())
    task = SearchTask(
        **{
            name: value
            for name, value in asked.items()
            if value is not None and name not in ("top", "out", "plot")
        }
    )
    with progress_bar() as bar:
        line = bar.add_task("measuring", total=task.trials, note="")
        reports = 0

        def show(result: SearchResult) -> None:
            nonlocal reports
            finished = len(result.finished)
            if finished and not reports:
                how = "begun" if measured else "resumed"
                messages.print(f"{how} with {finished} finished trials of this study")
            reports += 1
            bar.update(line, completed=finished, note=note_of(result))

        result = task.run(show, origin())
    if out is not None and result.measured:
        result.save(out)
    show_search(result, top, task)
    if out is not None:
        messages.print(f"written to {out}", markup=False)
    if plot is not None:
        draw_search(result, plot, f"Search of {result.space.name} by {task.searcher}")
