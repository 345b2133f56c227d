"""How a search went: the best value after each measurement."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report._axes import label_axes, plain_axes, shown_range, with_unit
from diffusionnag.report._figure import (
    COLOURS,
    LINE,
    MARGIN,
    PALE,
    add_panel,
    check_picture,
    heading_width,
    open_figure,
    write_heading,
    write_note,
)

WIDTH, HEIGHT = 6.0, 3.2
HEAD, FOOT, LEFT = MARGIN + 3 * LINE, MARGIN + 4.2 * LINE, MARGIN + 0.75


def plot_best_so_far(
    values: np.ndarray,
    path: Path,
    *,
    name: str,
    title: str,
    warm_up: int = 0,
    minimize: bool = False,
    allowed: np.ndarray | None = None,
    plot_width: float = WIDTH,
) -> None:
    """Draw each measured value (`count`, in order) and the best until then, as SVG, PNG or PDF.

    The first `warm_up` lie on grey. Of values that are not `allowed` (`count` bool) none is the
    best, and their points are hollow. A few values far from all others are only counted, and the line
    may begin below what is shown. The axes are `plot_width` inches wide. Raises
    DiffusionNAGError without values, for another suffix, and where matplotlib is missing.
    """
    check_picture(path)
    from matplotlib.ticker import MaxNLocator

    if not len(values):
        raise DiffusionNAGError(f"nothing to draw in {path}: nothing was measured")
    allowed = np.ones(len(values), dtype=bool) if allowed is None else allowed
    if not allowed.any():
        raise DiffusionNAGError(f"nothing to draw in {path}: no value is allowed")
    counted = np.where(allowed, values, np.inf if minimize else -np.inf)
    best = (np.minimum if minimize else np.maximum).accumulate(counted)
    shown = shown_range([values], always=best[-1:]).wider(0.05)
    outside = int(shown.outside(values).sum())
    first = int(np.flatnonzero(best == best[-1])[0]) + 1
    caption = f"best {best[-1]:.6g}, found by measurement {first} of {len(values)}"
    width = max(LEFT + plot_width + 2 * MARGIN, heading_width(title, caption))
    height = HEAD + HEIGHT + FOOT
    with open_figure(path, width, height) as figure:
        axes = add_panel(figure, LEFT, FOOT, plot_width, HEIGHT)
        places = np.arange(1, len(values) + 1)
        if warm_up:
            axes.axvspan(0, min(warm_up, len(values)) + 0.5, color=PALE, alpha=0.6, linewidth=0)
        style = {"color": COLOURS[0], "markeredgecolor": "white", "markeredgewidth": 0.5}
        axes.plot(places[allowed], values[allowed], "o", markersize=5.5, alpha=0.85, **style)
        hollow = {"color": COLOURS[0], "markerfacecolor": "none", "markeredgewidth": 0.8}
        axes.plot(places[~allowed], values[~allowed], "o", markersize=4.5, alpha=0.6, **hollow)
        axes.step(places, best, where="post", color=COLOURS[4], linewidth=1.6, zorder=1)
        axes.set(xlim=(0, len(values) + 1), ylim=(shown.low, shown.high))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        label_axes(axes, "measured architectures", with_unit(name, values))
        plain_axes(axes, "both")
        write_heading(figure, title, caption)
        write_note(figure, _note(warm_up, outside, bool((~allowed).any())), LEFT + plot_width)


def _note(warm_up: int, outside: int, hollow: bool) -> str:
    """Return what the reader has to know about the marks."""
    parts = ["points: each measurement; line: the best so far"]
    if hollow:
        parts.append("hollow: not allowed")
    if warm_up:
        parts.append("grey: the warm-up")
    if outside:
        parts.append(f"{outside:,} further out, not shown")
    return "; ".join(parts)
