"""How a property is distributed over groups of architectures (paper, Figure 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report._axes import ROUNDING, Shown, label_axes, plain_axes, shown_range
from diffusionnag.report._figure import (
    AXIS_SIZE,
    COLOURS,
    GREY,
    INK,
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

FEW = 10
"""A group with fewer values has no curve: its values are marked one by one."""
POINTS = 400
ROW, PLOT_WIDTH = 0.8, 5.2
HEAD, FOOT = MARGIN + 2 * LINE, MARGIN + 3.6 * LINE
PEAK, MARK = 0.84, 0.3
"""Heights of the curves and of marks, in rows."""
NAME_SIZE = 9.5


def plot_distributions(
    groups: Mapping[str, np.ndarray],
    path: Path,
    *,
    xlabel: str,
    title: str,
    plot_width: float = PLOT_WIDTH,
) -> None:
    """Draw the density of each group's values in a row, and its mean, as SVG, PNG or PDF.

    The suffix of `path` says which. Values that are not finite are left out, and so are groups
    that have no others. Where a few values lie far from the rest, the axis ends before them and
    says how many they are. The axes are at least `plot_width` inches wide. Raises
    DiffusionNAGError where nothing is left, for another suffix, and where matplotlib is missing.
    """
    check_picture(path)
    values = {name: np.asarray(group, dtype=float).ravel() for name, group in groups.items()}
    values = {name: group[np.isfinite(group)] for name, group in values.items()}
    values = {name: group for name, group in values.items() if len(group)}
    if not values:
        raise DiffusionNAGError(f"nothing to draw in {path}: no group has a value")
    shown = shown_range(list(values.values()))
    captions = _captions(values, shown)
    labels = max(
        *(text_width(name, NAME_SIZE, weight="bold") for name in values),
        *(text_width(caption, NOTE_SIZE) for caption in captions),
    )
    left = MARGIN + labels + MARGIN
    right = left + max(plot_width, text_width(xlabel, AXIS_SIZE))
    width = max(right + MARGIN, heading_width(title))
    height = HEAD + len(values) * ROW + FOOT
    with open_figure(path, width, height) as figure:
        axes = add_panel(figure, left, FOOT, width - MARGIN - left, len(values) * ROW)
        _draw(axes, values, shown)
        label_axes(axes, xlabel)
        write_heading(figure, title)
        write_note(figure, "densities, each scaled to the same height; the dots are means")
        x = MARGIN / width
        for number, (name, caption) in enumerate(zip(values, captions, strict=True), start=1):
            y = FOOT + (len(values) - number) * ROW
            style = {"size": NAME_SIZE, "weight": "bold", "color": INK}
            figure.text(x, (y + 1.4 * LINE) / height, name, **style)
            figure.text(x, (y + 0.3 * LINE) / height, caption, size=NOTE_SIZE, color=GREY)


def _density(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return a Gaussian kernel density estimate of values, not all the same, at some points.

    The bandwidth is Silverman's. What the kernels put beyond the least and the greatest value is
    folded back, so that no value is suggested that never occurred.
    """
    first, third = np.quantile(values, (0.25, 0.75))
    scales = [scale for scale in (values.std(), (third - first) / 1.349) if scale > 0]
    step = (points[-1] - points[0]) / len(points)
    bandwidth = max(0.9 * min(scales) * len(values) ** -0.2, 2 * step)
    window = (points[0] - 4 * bandwidth, points[-1] + 4 * bandwidth)
    counts, edges = np.histogram(values, bins=2 * POINTS, range=window)
    centres = (edges[1:] + edges[:-1]) / 2
    low, high = values.min(), values.max()
    kernels = sum(
        np.exp(-(((points[:, None] - mirrored) / bandwidth) ** 2) / 2)
        for mirrored in (centres, 2 * low - centres, 2 * high - centres)
    )
    density = kernels @ counts / (len(values) * bandwidth * np.sqrt(2 * np.pi))
    return np.where((points >= low) & (points <= high), density, 0.0)


def _draw(axes: Axes, groups: dict[str, np.ndarray], shown: Shown) -> None:
    """Draw each group's curve, or its values where they have none, and its mean, in its row."""
    room = 0.02 * shown.span
    points = np.linspace(shown.low - room, shown.high + room, POINTS)
    for number, values in enumerate(groups.values()):
        base, mean = len(groups) - 1 - number, values.mean()
        colour = COLOURS[number % len(COLOURS)]
        axes.axhline(base, color=GREY, linewidth=0.8)
        if len(values) >= FEW and np.ptp(values) > ROUNDING * np.abs(values).max():
            curve = _density(values, points)
            curve *= PEAK / (curve.max() or 1.0)
            axes.fill_between(points, base, base + curve, color=colour, alpha=0.3, linewidth=0)
            line = np.ma.masked_where(curve == 0, base + curve)
            axes.plot(points, line, color=colour, linewidth=1.5)
            height = np.interp(mean, points, curve)
            axes.plot([mean, mean], [base, base + height], color=INK, linewidth=1.1)
        else:
            axes.vlines(values, base, base + MARK, color=colour, linewidth=1.8)
        axes.plot([mean], [base], "o", color=INK, markersize=5, clip_on=False, zorder=5)
        style = {"size": NOTE_SIZE, "color": GREY}
        if below := (values < points[0]).sum():
            axes.text(points[0], base + 0.08, f"\u2190 {below:,} below", **style)
        if above := (values > points[-1]).sum():
            axes.text(points[-1], base + 0.08, f"{above:,} above \u2192", ha="right", **style)
    axes.set(xlim=(points[0], points[-1]), ylim=(-0.03, len(groups)), yticks=[])
    plain_axes(axes, "x")


def _captions(groups: dict[str, np.ndarray], shown: Shown) -> list[str]:
    """Return the mean and the number of each group's values, as precise as the axis needs."""
    decimals = min(8, max(0, 3 - math.floor(math.log10(shown.span))))
    return [
        f"mean {values.mean():,.{decimals}f}, n = {len(values):,}" for values in groups.values()
    ]
