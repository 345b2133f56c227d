"""Average ranks of searchers on a line, those joined that too few objectives tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import stats

WIDTH, PANEL, LINE = 7.0, 0.9, 0.22
"""Inches of the picture's width, of a panel without its joining lines, and of each of those."""


def critical_difference(searchers: int, objectives: int) -> float:
    """Return how far apart average ranks must be to differ at 5 % (Nemenyi test; Demsar 2006)."""
    studentised = stats.studentized_range.ppf(0.95, searchers, np.inf) / np.sqrt(2)
    return float(studentised * np.sqrt(searchers * (searchers + 1) / (6 * objectives)))


def plot_ranks(
    ranks: Mapping[str, np.ndarray], shown: Sequence[int], objectives: int, path: Path
) -> None:
    """Draw the average ranks of each searcher, one value for each of the `shown` numbers of measurements."""
    difference = critical_difference(len(ranks), objectives)
    names = list(ranks)
    panel = PANEL + LINE * len(names)
    figure = Figure(figsize=(WIDTH, panel * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    for row, trials in enumerate(shown):
        axes = figure.add_subplot(len(shown), 1, row + 1)
        order = sorted(names, key=lambda name: ranks[name][row])
        values = [float(ranks[name][row]) for name in order]
        for place, (name, value) in enumerate(zip(order, values, strict=True)):
            # The leftmost name is the lowest, so that no line of another crosses it.
            height = place - len(names)
            axes.plot([value, value], [0, height], color="0.6", linewidth=0.8)
            axes.plot(value, 0, "o", color="black", markersize=4)
            axes.text(value + 0.05, height, f"{name}  {value:.2f}", va="center", fontsize=8)
        level, last = 0.5, -1
        for first, value in enumerate(values):
            joined = max(at for at, other in enumerate(values) if other - value <= difference)
            if joined > max(first, last):
                axes.plot([value, values[joined]], [level, level], color="tab:red", linewidth=2)
                level += 0.5
                last = joined
        axes.set(xlim=(0.8, len(names) + 1.2), ylim=(-len(names) - 0.6, level + 0.3), yticks=[])
        axes.xaxis.tick_top()
        axes.set_title(f"average rank after {trials} measurements", fontsize=9, loc="left")
        for side in ("left", "right", "bottom"):
            axes.spines[side].set_visible(False)
    figure.supxlabel(
        f"{objectives} objectives; joined: apart by less than {difference:.2f} (Nemenyi, 5 %)",
        fontsize=8,
    )
    figure.savefig(path, dpi=150)
