"""`diffusionnag generate --pareto`: architectures along the front of several guides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.markup import escape

from diffusionnag.cli.console import messages, results
from diffusionnag.cli.generated import (
    Evaluation,
    metrics_table,
    ranking_table,
    write_json_lines,
    write_origin,
)
from diffusionnag.generation.front import (
    Front,
    Objectives,
    check_hypervolume,
    generate_front,
    hypervolume,
)
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.metrics import generation_quality
from diffusionnag.generation.request import Request
from diffusionnag.generation.samples import Samples
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.spaces import Architecture
from diffusionnag.spaces.cost import unit

SURVEYED = 1_000
"""Uniform draws, the same in every run, whose worst values a hypervolume is measured from."""


def generate_pareto(
    model: Generator,
    request: Request,
    count: int,
    solver: str | None,
    steps: int | None,
    seed: int,
    *,
    top: int,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Generate architectures along the front of the guides; print, write and draw them.

    `top` of those on the front are printed, evenly spread along it.
    """
    objectives = Objectives(request.properties, request.weights)
    check_hypervolume()
    space = model.search_space
    with messages.status("generating"):
        front = generate_front(
            model, count, objectives, limits=request.limits, solver=solver, steps=steps, seed=seed
        )
        quality = generation_quality(space, front.drawn, model.training_set)
        generated = Evaluation.of(space, front.architectures, request)
        uniform = Evaluation.of(space, space.sample(count, seed), request)
        surveyed = space.sample(SURVEYED, 0)
        reference = objectives.scores(surveyed).min(0)
        here, there = (
            hypervolume(objectives.scores(architectures), reference)
            for architectures in (
                front.architectures,
                within_limits(request.limits, uniform.architectures),
            )
        )
    results.print(ranking_table(generated.rows(_spread_rows(front, top)), top))
    samples = Samples(front.architectures, front.drawn, front.rejected)
    table = metrics_table(quality, samples, generated, uniform, request)
    table.add_row("on the first front", str(front.on_front.sum()), "")
    label = _hypervolume_label(objectives, objectives.values(surveyed), request)
    table.add_row(escape(label), f"{here:.2f}", f"{there:.2f}")
    results.print(table)
    if out is not None:
        write_json_lines(generated, out, front.on_front)
        write_origin(out, quality, request, uniform)
        messages.print(f"{len(samples)} architectures written to {out}")
    if plot is not None:
        _plot(plot, front, objectives, within_limits(request.limits, surveyed), here, request)
        messages.print(f"drawn into {plot}")


def _spread_rows(front: Front, count: int) -> np.ndarray:
    rows = np.flatnonzero(front.on_front)
    places = np.linspace(0, len(rows) - 1, min(count, len(rows)))
    return rows[places.round().astype(int)]


def _hypervolume_label(objectives: Objectives, surveyed: np.ndarray, request: Request) -> str:
    worst = np.where(np.array(objectives.directions) > 0, surveyed.min(0), surveyed.max(0))
    names = (one.property_name for one in objectives.properties)
    point = ", ".join(f"{name} {value:.4g}" for name, value in zip(names, worst, strict=True))
    kept = " of what keeps the limits" if request.limits else ""
    return (
        f"hypervolume{kept}, predicted and standardised,\n"
        f"from the worst of {len(surveyed):,} random: {point}"
    )


def _plot(
    path: Path,
    front: Front,
    objectives: Objectives,
    random: Sequence[Architecture],
    volume: float,
    request: Request,
) -> None:
    from diffusionnag.report import plot_pareto

    best = {one for one, on in zip(front.architectures, front.on_front, strict=True) if on}
    names = [one.property_name for one in objectives.properties]
    limits = " and ".join(limit.describe() for limit in request.limits)
    space = objectives.properties[0].search_space.name
    plot_pareto(
        objectives.values(front.candidates),
        path,
        chosen=[row for row, one in enumerate(front.candidates) if one in best],
        names=names,
        directions=objectives.directions,
        title=f"Architectures of {space}{f' with {limits}' if limits else ''}",
        units=[unit(name).strip() for name in names],
        random=objectives.values(random) if random else None,
        hypervolume=volume,
        mark="on the front",
    )
