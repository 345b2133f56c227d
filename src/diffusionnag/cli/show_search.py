"""How `search` shows what it measured: its progress, tables, files and pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from rich.markup import escape

from diffusionnag.cli.console import messages, results
from diffusionnag.cli.show_ranking import Column, print_ranking
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance import analytic_names
from diffusionnag.report import plot_best_so_far, plot_pareto
from diffusionnag.search import METRICS, Outlook, SearchResult, SearchTask
from diffusionnag.spaces.units import unit


def note_of(result: SearchResult) -> str:
    """Return what stands behind the progress bar: the best value so far, or the size of the front."""
    if not result.measured:
        return ""
    cost = "" if result.cost is None else f", {_cost(result)}"
    if not len(result.best):
        return f"none allowed so far{cost}"
    if len(result.problem.objectives) > 1:
        return f"on the front so far {len(result.best)}{cost}"
    return f"best so far {result.values[result.best[0], 0]:.6g}{cost}"


def show_search(result: SearchResult, top: int, task: SearchTask) -> None:
    """Print how a search went and its `top` best, of several objectives those on the front.

    Raises DiffusionNAGError where no trial gave a value.
    """
    if result.exhausted:
        kept = " within the limits" if task.limits else ""
        left = "nothing was left to propose"
        if result.improbable:
            left = "it is improbable that something better is left"
        messages.print(f"after {len(result.finished)} trials {left}{kept}")
    if result.pruned:
        messages.print(f"{result.pruned} trials were pruned")
    if result.unbuildable:
        messages.print(f"passed over, as no network can be built: {result.unbuildable} proposals")
    if result.failed:
        reason = result.last_failure
        messages.print(f"{result.failed} trials gave no value; the last: {reason}", markup=False)
    if not result.measured:
        raise DiffusionNAGError("no trial gave a value; check the objective")
    if result.cost is not None:
        results.print(_cost(result), markup=False)
    measured, problem = len(result.measured), result.problem
    if problem.constraints:
        bounds = " and ".join(bound.describe() for bound in problem.constraints)
        results.print(f"{result.allowed.sum()} of {measured} measured keep {escape(bounds)}")
    if not len(result.best):
        messages.print("none is allowed; measure more, or loosen a constraint")
        return
    if task.noisy and result.outlook is not None:
        _show_noisy(result, result.outlook, top)
        return
    shown = [result.space.format(result.architectures[row]) for row in result.best[:top]]
    print_ranking(shown, _columns(result, top))
    if len(problem.objectives) == 1:
        first = result.best[0]
        value = result.values[first, 0]
        results.print(f"best: {value:.6g}, found by measurement {first + 1} of {measured}")
        if result.outlook is not None:
            _show_outlook(result, result.outlook)
        return
    results.print(f"on the front: {len(result.best)} of {measured} measured")
    worst = zip(problem.objectives, result.worst, strict=True)
    corner = ", ".join(f"{name} {value:.6g}" for name, value in worst)
    results.print(
        f"hypervolume: {result.hypervolume:.6g}, from the worst measured: {escape(corner)}"
    )


def _show_outlook(result: SearchResult, outlook: Outlook) -> None:
    best = outlook.architectures[0]
    same = best == result.architectures[result.best[0]]
    name = "the same" if same else result.space.format(best)
    results.print(
        f"best by what all measurements tell: {name}, {outlook.means[0]:.6g} give or take "
        f"{outlook.deviations[0]:.2g}",
        markup=False,
    )
    _show_chance(outlook)


def _show_chance(outlook: Outlook) -> None:
    results.print(f"chance that a better one is left: {100 * outlook.chance_of_better:.2g} %")


def _show_noisy(result: SearchResult, outlook: Outlook, top: int) -> None:
    """Print what all measurements tell of the best, each architecture once."""
    name = result.problem.objectives[0]
    shown, times = outlook.architectures[:top], Counter(result.architectures)
    means, deviations = outlook.means[:top], outlook.deviations[:top]
    exact = [result.space.analytic_properties(architecture) for architecture in shown]
    columns: list[Column] = [
        (f"{name}{unit(name, means)} by all", [f"{value:.6g}" for value in means]),
        ("give or take", [f"{value:.2g}" for value in deviations]),
        ("times", [str(times[architecture]) for architecture in shown]),
        *(
            (f"{known}{unit(known)}", [f"{values[known]:.3f}" for values in exact])
            for known in analytic_names(result.space)
        ),
    ]
    print_ranking(list(map(result.space.format, shown)), columns)
    results.print(
        f"best: {means[0]:.6g} give or take {deviations[0]:.2g}, by all {len(result.measured)} "
        f"measurements of {len(times)} architectures"
    )
    _show_chance(outlook)


def _cost(result: SearchResult) -> str:
    simulated = "simulated " if result.problem.kind.looked_up else ""
    known, finished = len(result.costs), len(result.finished)
    summed = "" if known == finished else f" of {known} of {finished} trials"
    return f"{simulated}cost: {result.problem.cost} {result.cost:.6g}{summed}"


def _columns(result: SearchResult, top: int) -> list[Column]:
    """Return all that was asked of the best, and their analytic properties, column by column."""
    space, problem = result.space, result.problem
    rows = result.best[:top]
    trials = [result.measured[row] for row in rows]
    metrics = [trial.user_attrs.get(METRICS, {}) for trial in trials]
    exact = [space.analytic_properties(result.architectures[row]) for row in rows]
    others = problem.needed[len(problem.objectives) :]
    return [
        *(
            (f"{name}{unit(name, values)}", [f"{value:.6g}" for value in values])
            for name, values in zip(problem.objectives, result.values[rows].T, strict=True)
        ),
        *(
            # What was not yet asked for when a trial ran is not known of it.
            (name, [f"{known[name]:.6g}" if name in known else "-" for known in metrics])
            for name in others
        ),
        ("trial", [str(trial.number) for trial in trials]),
        *(
            (f"{name}{unit(name)}", [f"{values[name]:.3f}" for values in exact])
            for name in analytic_names(space)
            if name not in problem.needed
        ),
    ]


def draw_search(result: SearchResult, path: Path, title: str) -> None:
    """Draw the best value so far, or of two or three objectives the front, into a picture."""
    problem = result.problem
    if len(problem.objectives) == 1:
        plot_best_so_far(
            result.values[:, 0],
            path,
            name=problem.objectives[0],
            title=title,
            warm_up=result.warm_up,
            minimize=problem.signs[0] < 0,
            allowed=result.allowed,
        )
    else:
        kept = np.flatnonzero(result.allowed)
        plot_pareto(
            result.values[kept],
            path,
            chosen=np.flatnonzero(np.isin(kept, result.best)),
            names=problem.objectives,
            directions=problem.signs.tolist(),
            title=title,
            hypervolume=result.hypervolume,
            kind="measured and allowed" if problem.constraints else "measured",
            mark="on the front",
        )
    messages.print(f"drawn into {path}", markup=False)
