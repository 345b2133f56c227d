"""Pictures of what was generated: the distribution of a property, or a front of compromises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffusionnag.report._axes import with_unit
from diffusionnag.report.distribution_plot import plot_distributions
from diffusionnag.report.pareto_plot import plot_pareto

if TYPE_CHECKING:
    from diffusionnag.generation.result import GenerationResult

ORACLE_SIZE = 1_000
"""The paper compares with the best thousand architectures of a table (Table 3, Figure 2)."""


def plot_generated(result: GenerationResult, path: Path) -> None:
    """Draw the distribution of the first property asked for (paper, Figure 2).

    Beside the generated ones stand uniform random draws, those that nothing guided, and the best
    thousand of the installed table, if there is one.
    """
    name, space = next(iter(result.request.judged())), result.generated.space
    groups = {"random": result.uniform, "guided": result.generated}
    if result.unguided is not None:
        groups = {"random": result.uniform, "unguided": result.unguided, "guided": result.generated}
    known = {group: evaluation.best_known(name) for group, evaluation in groups.items()}
    sources = {source for _, source in known.values()}
    mixed = len(sources) > 1
    source = "predicted" if mixed else sources.pop()
    values = {
        group: evaluation.mean[name] if mixed else known[group][0]
        for group, evaluation in groups.items()
    }
    table = result.request.measured.get(name)
    if source == "true" and table is not None:
        column = table.column(name)
        best = np.sort(column[np.isfinite(column)])[-ORACLE_SIZE:]
        values[f"the table's top {len(best):,}"] = best
    shown = np.concatenate(list(values.values()))
    plot_distributions(
        values,
        path,
        xlabel=f"{source} {with_unit(name, shown)}",
        title=f"Generated {space.name} architectures",
    )


def plot_front(result: GenerationResult, path: Path) -> None:
    """Draw the generated architectures on the front, all they were chosen from, and random ones."""
    from diffusionnag.generation.front import Objectives

    fronts, front = result.fronts, result.samples.details
    assert fronts is not None
    objectives = Objectives(result.request.properties, result.request.weights)
    best = {
        architecture
        for architecture, on_front in zip(result.samples, front.on_front, strict=True)
        if on_front
    }
    names = [guide.property_name for guide in objectives.properties]
    limits = " and ".join(limit.describe() for limit in result.request.limits)
    plot_pareto(
        objectives.values(front.candidates),
        path,
        chosen=[row for row, candidate in enumerate(front.candidates) if candidate in best],
        names=names,
        directions=objectives.directions,
        title=f"Architectures of {result.generated.space.name}{f' with {limits}' if limits else ''}",
        random=objectives.values(fronts.random) if fronts.random else None,
        hypervolume=fronts.generated,
        kind="candidate",
        mark="on the front",
    )
