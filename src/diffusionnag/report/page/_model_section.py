"""The section of a model: where it came from, how good it is, and how it was trained."""

from __future__ import annotations

from functools import partial

import numpy as np

from diffusionnag.networks import metric_title, metric_unit
from diffusionnag.report.curves_plot import plot_curves
from diffusionnag.report.page._pictures import (
    Picture,
    draw_architecture,
    draw_inline,
    find_space,
)
from diffusionnag.report.page._run_folder import Model
from diffusionnag.report.page._section import Section, asked_for, number
from diffusionnag.spaces import SearchSpace

USES = {
    "property predictor": "use it: --guide {name} or --limit '{name}<=VALUE'",
    "generator": "use it: --generator {name}",
    "supernet": "use it: --objective supernet:{name}",
    "dataset aware": "use it: diffusionnag transfer SPACE --data IMAGES --predictor {name}",
}
"""What to do with a model, by its kind."""


def model_section(entry: Model, anchor: str, own: SearchSpace | None) -> Section:
    """Return the section of a model; an architecture of `own` or a registered space is drawn."""
    subject = "property" if entry.kind == "property predictor" else "architecture"
    stated = {"search_space": entry.search_space, subject: entry.subject, "data": entry.about.data}
    quality = list(entry.about.quality.items())
    return Section(
        anchor=anchor,
        kind=entry.kind.capitalize(),
        title=entry.name,
        asked=asked_for(entry.about, **stated),
        command=entry.about.command,
        figures=tuple((name, number(value)) for name, value in entry.about.quality.items()),
        plots=(_course(entry),) if len(entry.course) > 1 else (),
        headline=", ".join(f"{name} {number(value)}" for name, value in quality[:1]),
        next_step=USES.get(entry.kind, "").format(name=entry.name),
        drawn="What it looks like",
        drawings=_drawing(entry, own),
    )


def _course(entry: Model) -> Picture:
    course, title = entry.course, metric_title(entry.metric)
    name, unit = entry.metric.replace("_", " "), metric_unit(entry.metric)
    panel = {"held out": (course, np.zeros(len(course)))}
    draw = partial(
        plot_curves,
        {"": panel},
        xlabel="epochs",
        ylabel=title,
        title=f"Training of a {entry.search_space} network",
        caption=f"{name} after each of {len(course):,} epochs",
    )
    alt = f"{name.capitalize()} over {len(course):,} epochs, {number(course[-1])}{unit} in the end"
    return draw_inline(draw, alt)


def _drawing(entry: Model, own: SearchSpace | None) -> tuple[tuple[Picture, str], ...]:
    space = find_space(entry.subject, entry.search_space, own)
    picture = draw_architecture(space, entry.subject) if space else None
    return ((picture, ""),) if picture else ()
