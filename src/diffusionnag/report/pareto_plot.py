"""Architectures by two or three properties at once, and the best compromises among them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report._axes import (
    SHORT_TAIL,
    Shown,
    label_axes,
    plain_axes,
    shown_range,
    with_unit,
)
from diffusionnag.report._figure import (
    COLOURS,
    LINE,
    MARGIN,
    add_legend,
    add_panel,
    check_picture,
    heading_width,
    open_figure,
    write_heading,
    write_note,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUPS = {
    "random": {"color": "#B8B8B8", "markersize": 3.5, "alpha": 0.6, "markeredgewidth": 0},
    "generated": {"color": COLOURS[5], "markersize": 4.5, "alpha": 0.9, "markeredgewidth": 0.3},
    "chosen": {"color": COLOURS[4], "markersize": 7.5, "markeredgewidth": 0.9},
}
PANEL = {2: (5.2, 3.9), 3: (3.2, 3.2)}
"""Width and height of a panel in inches, by the number of properties."""
HEAD, FOOT, LEFT, GAP = MARGIN + 4.4 * LINE, MARGIN + 4.2 * LINE, 0.75, 0.3
NOTE = 1.6 * LINE
"""Of the foot, what a note takes."""


def plot_pareto(
    points: np.ndarray,
    path: Path,
    *,
    chosen: Sequence[int] | np.ndarray,
    names: Sequence[str],
    directions: Sequence[int],
    title: str,
    random: np.ndarray | None = None,
    hypervolume: float | None = None,
    kind: str = "generated",
    mark: str = "chosen",
    plot_width: float | None = None,
) -> None:
    """Draw architectures of a kind by two properties, or by each pair of three, as SVG, PNG or PDF.

    `points` are those of that kind, `count x properties`; the rows `chosen` of them are marked,
    and joined by a staircase if the properties are two. `random`, `any x properties`, are drawn
    behind; `mark` says what the marked ones are. With `plot_width` the panels are so many inches
    wide and stand below one another. A direction is +1 for a property to be raised and
    -1 for one to be lowered. Architectures without finite values are
    left out, and a few far from all others are only counted. Raises DiffusionNAGError for another
    number of properties, where nothing is left, for another suffix, and where matplotlib is missing;
    ValueError for arguments that do not fit each other.
    """
    check_picture(path)
    count = len(names)
    if count not in PANEL:
        raise DiffusionNAGError(f"2 or 3 properties are drawn by each other, not {count}")
    groups = _groups(points, chosen, random, count)
    labels = _labels(names, directions, np.asarray(points, float))
    if not groups["generated"].size and not groups["chosen"].size:
        raise DiffusionNAGError(f"nothing to draw in {path}: no architecture has all properties")
    filled = [group for group in groups.values() if len(group)]
    stretches = [
        shown_range(
            [group[:, axis] for group in filled], SHORT_TAIL, always=groups["chosen"][:, axis]
        ).wider(0.04)
        for axis in range(count)
    ]
    caption = _caption(groups, hypervolume, kind, mark)
    note = _note(filled, stretches)
    pairs = list(itertools.combinations(range(count), 2))
    panel_width, panel_height = PANEL[count]
    across = len(pairs)
    if plot_width is not None:
        panel_width, across = plot_width, 1
    needed = MARGIN + across * (LEFT + panel_width) + (across - 1) * GAP + MARGIN
    foot = FOOT if note else FOOT - NOTE
    row_height = panel_height + foot
    width = max(needed, heading_width(title, caption))
    height = HEAD + len(pairs) // across * row_height
    with open_figure(path, width, height) as figure:
        for number, (across_axis, up) in enumerate(pairs):
            left = MARGIN + LEFT + number % across * (LEFT + panel_width + GAP)
            below = foot + (len(pairs) - 1 - number) // across * row_height
            axes = add_panel(figure, left, below, panel_width, panel_height)
            _draw(
                axes,
                {name: group[:, [across_axis, up]] for name, group in groups.items()},
                kind,
                mark,
            )
            if count == 2:
                _join(axes, groups["chosen"], directions)
            axes.set_xlim(stretches[across_axis].low, stretches[across_axis].high)
            axes.set_ylim(stretches[up].low, stretches[up].high)
            label_axes(axes, labels[across_axis], labels[up])
        write_heading(figure, title, caption)
        # The same marks stand in every panel, so one legend explains them all.
        handles, names_of_marks = figure.axes[0].get_legend_handles_labels()
        add_legend(
            figure,
            dict(zip(names_of_marks, handles, strict=True)),
            MARGIN + 2.4 * LINE,
            len(groups),
            handlelength=0.8,
            handletextpad=0.4,
            columnspacing=1.6,
        )
        write_note(figure, note, needed - MARGIN)


def _labels(names: Sequence[str], directions: Sequence[int], points: np.ndarray) -> list[str]:
    """Return what is written at each axis: the property, its unit, and which way is better."""
    if len(names) != len(directions) or not set(directions) <= {1, -1}:
        raise ValueError("each property needs a direction, +1 or -1")
    ways = {1: "higher", -1: "lower"}
    return [
        f"{with_unit(name, values)}, {ways[direction]} is better"
        for name, direction, values in zip(names, directions, points.T, strict=True)
    ]


def _groups(
    points: np.ndarray, chosen: Sequence[int] | np.ndarray, random: np.ndarray | None, count: int
) -> dict[str, np.ndarray]:
    """Return the finite rows of each group, as drawn one above the other; none is in two groups."""
    points = np.asarray(points, float)
    random = np.zeros((0, count)) if random is None else np.asarray(random, float)
    if points.shape != (len(points), count) or random.shape != (len(random), count):
        raise ValueError(f"each architecture needs {count} properties")
    rows = np.asarray(chosen, dtype=np.intp)
    if ((rows < 0) | (rows >= len(points))).any():
        raise ValueError(f"the chosen must be rows of the {len(points)} architectures")
    marked = np.isin(np.arange(len(points)), rows)
    groups = {"random": random, "generated": points[~marked], "chosen": points[marked]}
    return {name: group[np.isfinite(group).all(1)] for name, group in groups.items()}


def _caption(groups: dict[str, np.ndarray], hypervolume: float | None, kind: str, mark: str) -> str:
    chosen, others = len(groups["chosen"]), len(groups["generated"])
    caption = f"{chosen:,} {mark}, of {chosen + others:,} {kind} architectures"
    return caption if hypervolume is None else f"{caption}, hypervolume {hypervolume:.4g}"


def _note(groups: Sequence[np.ndarray], stretches: Sequence[Shown]) -> str:
    """Return how many architectures the picture does not show, if any."""
    rows = np.concatenate(groups)
    outside = [stretch.outside(rows[:, axis]) for axis, stretch in enumerate(stretches)]
    far = int(np.any(outside, axis=0).sum())
    return f"{far:,} further out, not shown" if far else ""


def _draw(axes: Axes, groups: dict[str, np.ndarray], kind: str, mark: str) -> None:
    """Draw each group's points, `any x 2`, the later groups above the earlier."""
    for level, (name, group) in enumerate(groups.items(), start=2):
        if not len(group):
            continue
        style = {"markeredgecolor": "white", "zorder": level, **GROUPS[name]}
        label = {"generated": kind, "chosen": mark}.get(name, name)
        axes.plot(group[:, 0], group[:, 1], "o", label=label, **style)
    axes.locator_params(nbins=6)
    plain_axes(axes, "both")


def _join(axes: Axes, front: np.ndarray, directions: Sequence[int]) -> None:
    """Draw the border of what the points of a front, `count x 2`, are at least as good as."""
    x, y = front[np.lexsort((-directions[1] * front[:, 1], directions[0] * front[:, 0]))].T
    style = {"color": GROUPS["chosen"]["color"], "linewidth": 1.3}
    # With better x comes worse y: the border first turns worse, then goes on to the next point.
    axes.plot(x, y, drawstyle="steps-pre", zorder=3.5, **style)
