"""How much is known for what it costs: lines over a logarithmic axis of CPU minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffusionnag.report._axes import label_axes, plain_axes
from diffusionnag.report._figure import (
    COLOURS,
    LINE,
    MARGIN,
    add_legend,
    add_panel,
    heading_width,
    open_figure,
    write_heading,
)

WIDTH, HEIGHT = 5.6, 3.4
LEFT, FOOT = MARGIN + 0.6, MARGIN + 0.55
BESIDE = 2
"""Names beside each other in the legend."""


@dataclass(frozen=True)
class Line:
    """What a way to know costs, and how much is known, at each of several sizes.

    It is dashed, in the colour of another line, where it adds something to that.
    """

    minutes: Sequence[float]
    tau: Sequence[float]
    added_to: str | None = None


def plot_budget(lines: Mapping[str, Line], path: Path, *, title: str) -> None:
    """Draw Kendall's tau over CPU minutes, one line a way to know, as SVG, PNG or PDF."""
    legend = LINE * (1 + -(-len(lines) // BESIDE))
    head = MARGIN + 2.2 * LINE
    width = max(LEFT + WIDTH + MARGIN, heading_width(title))
    with open_figure(path, width, head + legend + HEIGHT + FOOT) as figure:
        axes = add_panel(figure, LEFT, FOOT, WIDTH, HEIGHT)
        marks, colours = {}, dict(zip(lines, COLOURS, strict=False))
        for name, line in lines.items():
            (marks[name],) = axes.plot(
                line.minutes,
                line.tau,
                "o-" if line.added_to is None else "o--",
                color=colours[line.added_to or name],
                linewidth=1.4,
                markersize=4.5,
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda minutes, _: f"{minutes:,g}")
        axes.minorticks_off()
        label_axes(axes, "CPU minutes", "Kendall's tau")
        plain_axes(axes, "both")
        write_heading(figure, title)
        add_legend(figure, marks, head, BESIDE, handlelength=2.2)
