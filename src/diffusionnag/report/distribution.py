"""How a property is distributed over groups of architectures (paper, Figure 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report.figure import check_picture, open_figure, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's colours, which colour-blind people can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
INK, GREY, PALE = "#222222", "#666666", "#E5E5E5"
FEW = 10
"""A group with fewer values has no curve: its values are marked one by one."""
TAIL = 0.05
"""Share of a group's values at either end that may lie outside where they are far away."""
POINTS = 400
ROW, MARGIN, LINE, PLOT_WIDTH = 0.8, 0.25, 0.17, 5.2
HEAD, FOOT = MARGIN + 2 * LINE, MARGIN + 3.6 * LINE
PEAK, MARK = 0.84, 0.3
"""Heights of the curves and of marks, in rows."""
NAME_SIZE, NOTE_SIZE, AXIS_SIZE, TITLE_SIZE = 9.5, 8.0, 10.0, 11.0
ROUNDING = 1e-9
"""Relative differences that are rounding errors and no spread."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """The stretch of the axis that a picture shows."""

    low: float
    high: float


def plot_distributions(
    groups: Mapping[str, np.ndarray], path: Path, *, xlabel: str, title: str
) -> None:
    """Draw the density of each group's values in a row, and its mean, as SVG, PNG or PDF.

    The suffix of `path` says which. Values that are not finite are left out, and so are groups
    that have no others. Where a few values lie far from the rest, the axis ends before them and
    says how many they are. Raises DiffusionNAGError where nothing is left, for another suffix, and
    where matplotlib is missing.
    """
    check_picture(path)
    values = {name: np.asarray(group, dtype=float).ravel() for name, group in groups.items()}
    values = {name: group[np.isfinite(group)] for name, group in values.items()}
    values = {name: group for name, group in values.items() if len(group)}
    if not values:
        raise DiffusionNAGError(f"nothing to draw in {path}: no group has a value")
    shown = _shown_range(list(values.values()))
    captions = _captions(values, shown)
    labels = max(
        *(text_width(name, NAME_SIZE, weight="bold") for name in values),
        *(text_width(caption, NOTE_SIZE) for caption in captions),
    )
    left = MARGIN + labels + MARGIN
    right = left + max(PLOT_WIDTH, text_width(xlabel, AXIS_SIZE))
    width = max(right, MARGIN + text_width(title, TITLE_SIZE, weight="bold")) + MARGIN
    height = HEAD + len(values) * ROW + FOOT
    with open_figure(path, width, height) as figure:
        x, y = left / width, FOOT / height
        axes = figure.add_axes((x, y, 1 - x - MARGIN / width, len(values) * ROW / height))
        _draw(axes, values, shown)
        axes.set_xlabel(xlabel, color=INK, size=AXIS_SIZE)
        x, note = MARGIN / width, "densities, each scaled to the same height; the dots are means"
        figure.text(
            x, 1 - (MARGIN + LINE / 2) / height, title, size=TITLE_SIZE, weight="bold", color=INK
        )
        figure.text(1 - x, MARGIN / height, note, size=NOTE_SIZE, color=GREY, ha="right")
        for number, (name, caption) in enumerate(zip(values, captions, strict=True), start=1):
            y = FOOT + (len(values) - number) * ROW
            style = {"size": NAME_SIZE, "weight": "bold", "color": INK}
            figure.text(x, (y + 1.4 * LINE) / height, name, **style)
            figure.text(x, (y + 0.3 * LINE) / height, caption, size=NOTE_SIZE, color=GREY)


def _shown_range(groups: list[np.ndarray]) -> _Shown:
    """Return the stretch of the axis on which all groups can be told apart.

    It has every value, unless some are further from the central 90 % of all groups than those are
    wide; then it ends where the central 90 %, and the means, do.
    """
    lowest, highest = min(map(np.min, groups)), max(map(np.max, groups))
    low = min(min(np.quantile(group, TAIL), group.mean()) for group in groups)
    high = max(max(np.quantile(group, 1 - TAIL), group.mean()) for group in groups)
    far = high - low
    if far > 0:
        lowest = lowest if lowest >= low - far else low
        highest = highest if highest <= high + far else high
    return _Shown(float(lowest), float(highest))


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
    found = kernels @ counts / (len(values) * bandwidth * np.sqrt(2 * np.pi))
    return np.where((points >= low) & (points <= high), found, 0.0)


def _draw(axes: Axes, groups: dict[str, np.ndarray], shown: _Shown) -> None:
    """Draw each group's curve, or its values where they have none, and its mean, in its row."""
    room = 0.02 * _span(shown)
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
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.tick_params(axis="x", length=0, colors=GREY)
    axes.set_axisbelow(True)


def _captions(groups: dict[str, np.ndarray], shown: _Shown) -> list[str]:
    """Return the mean and the number of each group's values, as precise as the axis needs."""
    decimals = min(8, max(0, 3 - math.floor(math.log10(_span(shown)))))
    return [
        f"mean {values.mean():,.{decimals}f}, n = {len(values):,}" for values in groups.values()
    ]


def _span(shown: _Shown) -> float:
    """Return how much of the axis is shown, or the size of what is shown where it is one point."""
    span, size = shown.high - shown.low, max(abs(shown.low), abs(shown.high))
    return span if span > ROUNDING * size else size or 1.0
