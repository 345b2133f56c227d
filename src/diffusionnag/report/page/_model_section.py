"""The section of a model: where it came from, how good it is, and how it was trained."""

from __future__ import annotations

from functools import partial

import numpy as np

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


def model_section(one: Model, anchor: str, own: SearchSpace | None) -> Section:
    """Return the section of a model; an architecture of `own` or a registered space is drawn."""
    subject = "property" if one.kind == "property predictor" else "architecture"
    stated = {"search_space": one.search_space, subject: one.subject, "data": one.about.data}
    return Section(
        anchor=anchor,
        kind=one.kind.capitalize(),
        title=one.name,
        asked=asked_for(one.about, **stated),
        command=one.about.command,
        figures=tuple((name, number(value)) for name, value in one.about.quality.items()),
        plots=(_course(one),) if len(one.accuracy) > 1 else (),
        drawn="What it looks like",
        drawings=_drawing(one, own),
    )


def _course(one: Model) -> Picture:
    panel = {"held-out images": (one.accuracy, np.zeros(len(one.accuracy)))}
    draw = partial(
        plot_curves,
        {"": panel},
        xlabel="epochs",
        ylabel="accuracy in %",
        title=f"Training of a {one.search_space} network",
        caption=f"accuracy after each of {len(one.accuracy):,} epochs",
    )
    alt = f"Accuracy over {len(one.accuracy):,} epochs, {number(one.accuracy[-1])} % in the end"
    return draw_inline(draw, alt)


def _drawing(one: Model, own: SearchSpace | None) -> tuple[tuple[Picture, str], ...]:
    space = find_space(one.subject, one.search_space, own)
    picture = draw_architecture(space, one.subject) if space else None
    return ((picture, ""),) if picture else ()
