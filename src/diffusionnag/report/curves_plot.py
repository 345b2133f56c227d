"""How several searches went: the mean of their curves, side by side on several benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report._axes import label_axes, plain_axes
from diffusionnag.report._figure import (
    AXIS_SIZE,
    COLOURS,
    INK,
    LINE,
    MARGIN,
    NOTE_SIZE,
    add_legend,
    add_panel,
    check_picture,
    heading_width,
    open_figure,
    write_heading,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 3
WIDTH, HEIGHT = 3.3, 2.5
LEFT, GAP, HEAD, FOOT = 0.65, 0.25, MARGIN + 2.8 * LINE, MARGIN + 2.5 * LINE
ABOVE, BELOW = 0.3, 0.35
"""Inches above and below each panel, for its name and its numbers."""
LEGEND_COLUMNS = 5
"""Names beside each other below the caption; three where there is one panel."""
DASHES = ("-", "--", ":")
EARLY = 0.1
"""The share of a curve, at its begin, that may lie below what is shown."""

Panel = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Each search's mean, and half the width of its interval, both `steps`."""


def plot_curves(
    panels: Mapping[str, Panel],
    path: Path,
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    caption: str,
) -> None:
    """Draw the curves of each panel with their intervals, as SVG, PNG or PDF.

    A name has the same colour in all panels, which lie in rows of three, four of them in two; the
    first one is drawn on top. Raises DiffusionNAGError without panels or curves, for another
    suffix, and where matplotlib is missing.
    """
    check_picture(path)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    if not names:
        raise DiffusionNAGError(f"nothing to draw in {path}: there are no curves")
    styles: dict[str, dict[str, Any]] = {
        name: {"color": COLOURS[at % len(COLOURS)], "linestyle": DASHES[at // len(COLOURS)]}
        for at, name in enumerate(names)
    }
    columns = 2 if len(panels) == 4 else min(ACROSS, len(panels))
    rows = -(-len(panels) // columns)
    beside = LEGEND_COLUMNS if columns > 1 else 3
    legend = LINE * (1 + -(-len(names) // beside))
    width = MARGIN + columns * (LEFT + WIDTH + GAP) + MARGIN
    width = max(width, heading_width(title, caption))
    height = HEAD + legend + rows * (ABOVE + HEIGHT + BELOW) + FOOT
    with open_figure(path, width, height) as figure:
        for at, (name, panel) in enumerate(panels.items()):
            left = MARGIN + LEFT + (at % columns) * (LEFT + WIDTH + GAP)
            top = HEAD + legend + (at // columns) * (ABOVE + HEIGHT + BELOW) + ABOVE
            axes = add_panel(figure, left, height - top - HEIGHT, WIDTH, HEIGHT)
            _draw(axes, panel, styles)
            axes.set_title(name, loc="left", size=AXIS_SIZE, color=INK)
            below = xlabel if at + columns >= len(panels) else ""
            label_axes(axes, below, ylabel if at % columns == 0 else "", NOTE_SIZE + 1)
        write_heading(figure, title, caption)
        lines = {
            label: line
            for axes in figure.axes
            for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        marks = {name: lines[name] for name in names}
        add_legend(figure, marks, HEAD, beside, handlelength=2.2)


def _draw(axes: Axes, panel: Panel, styles: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw the curves of one panel, the first on top, from where most of them have got to."""
    for level, (name, (mean, half)) in enumerate(panel.items()):
        steps = np.arange(1, len(mean) + 1)
        order = len(panel) - level + 2
        first = level == 0
        axes.plot(
            steps, mean, label=name, zorder=order, linewidth=2.0 if first else 1.1, **styles[name]
        )
        shade: dict[str, Any] = {"color": styles[name]["color"], "linewidth": 0, "zorder": 1.5}
        axes.fill_between(steps, mean - half, mean + half, alpha=0.22 if first else 0.06, **shade)
    begun = [mean[int(EARLY * len(mean))] for mean, _ in panel.values()]
    top = max(float(mean[-1]) for mean, _ in panel.values())
    low = float(np.median(begun))
    room = 0.06 * (top - low)
    axes.set_ylim(low - room, top + room)
    axes.set_xlim(0, max(len(mean) for mean, _ in panel.values()))
    axes.locator_params(nbins=5)
    plain_axes(axes, "both")
