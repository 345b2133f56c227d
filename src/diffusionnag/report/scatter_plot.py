"""How well a property is predicted: measured against predicted values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report._axes import SHORT_TAIL, Shown, label_axes, plain_axes, shown_range
from diffusionnag.report._figure import (
    COLOURS,
    GREY,
    LINE,
    MARGIN,
    NOTE_SIZE,
    add_panel,
    check_picture,
    heading_width,
    open_figure,
    text_width,
    write_heading,
    write_note,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 300
"""More error bars than these would hide the points."""
SIDE = 4.2
HEAD, FOOT, LEFT = MARGIN + 3 * LINE, MARGIN + 4.2 * LINE, MARGIN + 0.75


def plot_scatter(
    measured: np.ndarray,
    predicted: np.ndarray,
    path: Path,
    *,
    name: str,
    title: str,
    caption: str,
    std: np.ndarray | None = None,
) -> None:
    """Draw predicted against measured values of a property, as SVG, PNG or PDF.

    `measured`, `predicted` and its standard deviation `std` are `count`, in one unit; the suffix of
    `path` says the format. The deviations are drawn of at most 300 architectures. Those without a
    finite value are left out, and a few far from all others are only counted. Raises
    DiffusionNAGError where nothing is left, for another suffix, and where matplotlib is missing.
    """
    check_picture(path)
    finite = np.isfinite(measured) & np.isfinite(predicted)
    if not finite.any():
        raise DiffusionNAGError(f"nothing to draw in {path}: no architecture has both values")
    x, y = np.asarray(measured, float)[finite], np.asarray(predicted, float)[finite]
    bars = None if std is None or len(x) > MOST_BARS else np.asarray(std, float)[finite]
    shown = shown_range([x, y], SHORT_TAIL).wider(0.04)
    note = _note(bars is not None, int((shown.outside(x) | shown.outside(y)).sum()))
    right = max(LEFT + SIDE, text_width(note, NOTE_SIZE) + MARGIN)
    width, height = max(right + MARGIN, heading_width(title, caption)), HEAD + SIDE + FOOT
    with open_figure(path, width, height) as figure:
        axes = add_panel(figure, LEFT, FOOT, SIDE, SIDE)
        _draw(axes, x, y, bars, shown)
        label_axes(axes, f"{name}, measured", f"{name}, predicted")
        write_heading(figure, title, caption)
        write_note(figure, note, right)


def _note(bars: bool, outside: int) -> str:
    """Return what the reader has to know about the marks."""
    parts = ["line: predicted as measured"]
    if bars:
        parts.append("bars: one standard deviation")
    if outside:
        parts.append(f"{outside:,} further out, not shown")
    return "; ".join(parts)


def _draw(axes: Axes, x: np.ndarray, y: np.ndarray, bars: np.ndarray | None, shown: Shown) -> None:
    """Draw the points, fainter the more they are, over their error bars and the line x = y."""
    limits = (shown.low, shown.high)
    axes.plot(limits, limits, color=GREY, linewidth=1.1, zorder=1)
    if bars is not None:
        axes.errorbar(x, y, bars, fmt="none", ecolor=COLOURS[0], elinewidth=1.0, alpha=0.3)
    size, opacity = (5.5, 0.85) if len(x) <= MOST_BARS else (4.0, 0.35)
    style = {"color": COLOURS[0], "markeredgecolor": "white", "markeredgewidth": 0.5}
    axes.plot(x, y, "o", markersize=size, alpha=opacity, **style)
    axes.set(xlim=limits, ylim=limits)
    axes.locator_params(nbins=7)
    # At the corner the numbers of both axes would overlap.
    inner = shown.wider(-0.02)
    ticks = [tick for tick in axes.get_xticks() if inner.low < tick < inner.high]
    axes.set(xticks=ticks, yticks=ticks)
    plain_axes(axes, "both")
