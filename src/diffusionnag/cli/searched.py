"""What `search` shows of the architectures that it measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial
from rich.markup import escape
from rich.table import Table

from diffusionnag._files import write_atomically
from diffusionnag.artifacts.run_records import RunRecord
from diffusionnag.cli.console import messages, origin, results
from diffusionnag.generation.dominance import choose, hypervolume, non_dominated
from diffusionnag.search.objectives import LOOKED_UP
from diffusionnag.search.problem import Problem
from diffusionnag.search.study import Search, is_feasible, measured_trials
from diffusionnag.search.trials import METRICS, recorded_architecture
from diffusionnag.spaces import SearchSpace
from diffusionnag.spaces.cost import unit


def show_best(
    space: SearchSpace, problem: Problem, trials: Sequence[FrozenTrial], top: int
) -> None:
    """Print the `top` best of trials that have a value, of several objectives those on the front."""
    values = signed_values(problem, trials)
    kept = feasible_rows(trials)
    if problem.constraints:
        bounds = " and ".join(one.describe() for one in problem.constraints)
        results.print(f"{len(kept)} of {len(trials)} measured keep {escape(bounds)}")
    if not len(kept):
        messages.print("none is allowed; measure more, or loosen a constraint", markup=False)
        return
    best = kept[np.argsort(-values[kept, 0], kind="stable")]
    if len(problem.objectives) == 1:
        results.print(_table(space, problem, [trials[row] for row in best[:top]]))
        value = trials[best[0]].value
        results.print(f"best: {value:.6g}, found by measurement {best[0] + 1} of {len(trials)}")
        return
    front = best[non_dominated(values[best])]
    results.print(_table(space, problem, [trials[row] for row in front[:top]]))
    results.print(f"on the front: {len(front)} of {len(trials)} measured")
    volume, corner = front_volume(problem, trials)
    results.print(f"hypervolume: {volume:.6g}, from the worst measured: {escape(corner)}")


def note_of(problem: Problem, study: Study) -> str:
    """Return what stands behind the progress bar: the best value so far, or the size of the front."""
    trials = measured_trials(study)
    if not trials:
        return ""
    cost = "" if problem.cost is None else f", {cost_of(problem, study)}"
    kept = [trial for trial in trials if is_feasible(trial)]
    if not kept:
        return f"none allowed so far{cost}"
    values = signed_values(problem, kept)
    if len(problem.objectives) > 1:
        return f"on the front so far {non_dominated(values).sum()}{cost}"
    return f"best so far {problem.signs[0] * values.max():.6g}{cost}"


def cost_of(problem: Problem, study: Study) -> str:
    """Return in words what all measurements cost, those that were pruned included.

    Values that were looked up would have cost it.
    """
    assert problem.cost is not None
    metrics = [trial.user_attrs.get(METRICS, {}) for trial in study.get_trials(deepcopy=False)]
    total = sum(one.get(problem.cost, 0.0) for one in metrics)
    return f"{'simulated ' * (problem.kind in LOOKED_UP)}cost: {problem.cost} {total:.6g}"


def front_volume(problem: Problem, trials: Sequence[FrozenTrial]) -> tuple[float, str]:
    """Return the hypervolume of the allowed, from the worst measured values, and these in words."""
    values = signed_values(problem, trials)
    worst = values.min(axis=0)
    shown = zip(problem.objectives, worst * problem.signs, strict=True)
    corner = ", ".join(f"{name} {value:.6g}" for name, value in shown)
    return hypervolume(values[feasible_rows(trials)], worst), corner


def signed_values(problem: Problem, trials: Sequence[FrozenTrial]) -> np.ndarray:
    """Return what the trials measured, more being better, `trials x objectives` float64."""
    return np.array([trial.values for trial in trials]) * problem.signs


def feasible_rows(trials: Sequence[FrozenTrial]) -> np.ndarray:
    """Return which of the trials keep their constraints, as row numbers."""
    return np.flatnonzero([is_feasible(trial) for trial in trials])


def _table(space: SearchSpace, problem: Problem, trials: Sequence[FrozenTrial]) -> Table:
    """Return the trials with all that was asked of them, and their analytic properties."""
    table = Table(box=None, header_style="bold")
    table.add_column("")
    table.add_column("architecture", overflow="fold")
    others = problem.needed[len(problem.objectives) :]
    analytic = list(space.analytic_properties(space.sample(1, 0)[0]))
    for name in (
        *problem.objectives,
        *others,
        "trial",
        *(f"{name}{unit(name)}" for name in analytic),
    ):
        table.add_column(escape(name), justify="right")
    for place, trial in enumerate(trials, start=1):
        architecture = recorded_architecture(space, trial)
        assert architecture is not None
        exact = space.analytic_properties(architecture)
        table.add_row(
            str(place),
            escape(space.format(architecture)),
            *(f"{value:.6g}" for value in trial.values),
            *(f"{trial.user_attrs[METRICS][name]:.6g}" for name in others),
            str(trial.number),
            *(f"{exact[name]:.3f}" for name in analytic),
        )
    return table


def write_measured(
    space: SearchSpace, problem: Problem, trials: Sequence[FrozenTrial], path: Path
) -> None:
    """Write one JSON object a line for each trial that has a value, those allowed first, best first.

    Each has the architecture, its validity, and its measured and analytic properties, as what
    `generate` writes has; then the number of its trial, and whether it keeps the constraints.
    """
    kept = feasible_rows(trials)
    best = kept[choose(signed_values(problem, trials)[kept], len(kept))]
    lines = []
    for row in (*best, *np.setdiff1d(np.arange(len(trials)), kept)):
        trial = trials[row]
        architecture = recorded_architecture(space, trial)
        assert architecture is not None
        record = {
            "architecture": space.format(architecture),
            "valid": True,
            "properties": trial.user_attrs[METRICS] | space.analytic_properties(architecture),
            "trial": trial.number,
            "allowed": is_feasible(trial),
        }
        lines.append(json.dumps(record) + "\n")
    with write_atomically(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def origin_of(search: Search) -> RunRecord:
    """Return what a search was asked for."""
    goals = zip(search.problem.objectives, search.problem.signs.tolist(), strict=True)
    return RunRecord(
        search_space=search.space.name,
        about=origin(),
        goals=dict(goals),
        limits=tuple(one.describe() for one in search.problem.constraints),
        warm_up=search.sampler.warm_up,
    )


def draw_search(
    path: Path, problem: Problem, trials: Sequence[FrozenTrial], title: str, warm_up: int
) -> None:
    """Draw the best value so far, or of two or three objectives the front, into a file."""
    from diffusionnag.report import plot_best_so_far, plot_pareto

    values = signed_values(problem, trials)
    kept = feasible_rows(trials)
    if len(problem.objectives) == 1:
        plot_best_so_far(
            values[:, 0] * problem.signs[0],
            path,
            name=problem.objectives[0],
            title=title,
            warm_up=warm_up,
            minimize=problem.signs[0] < 0,
            allowed=np.isin(np.arange(len(values)), kept),
        )
    else:
        plot_pareto(
            values[kept] * problem.signs,
            path,
            chosen=np.flatnonzero(non_dominated(values[kept])),
            names=problem.objectives,
            directions=problem.signs.tolist(),
            title=title,
            hypervolume=front_volume(problem, trials)[0],
            kind="measured and allowed" if problem.constraints else "measured",
            mark="on the front",
        )
    messages.print(f"drawn into {path}")
