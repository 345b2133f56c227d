"""Axes of pictures of values: which stretch they show, and how plain they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from diffusionnag.report._figure import AXIS_SIZE, GREY, INK, PALE
from diffusionnag.spaces.units import unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TAIL, SHORT_TAIL = 0.05, 0.01
"""Shares of a group's values, at either end, that may lie outside where some are far away."""
ROUNDING = 1e-9
"""Relative differences that are rounding errors and no spread."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The stretch of an axis that a picture shows."""

    low: float
    high: float

    @property
    def span(self) -> float:
        """How much of the axis is shown, or the size of what is shown where it is one point."""
        span, size = self.high - self.low, max(abs(self.low), abs(self.high))
        return span if span > ROUNDING * size else size or 1.0

    def wider(self, share: float) -> Shown:
        """Return the stretch with room, a share of its span, at either end."""
        return Shown(self.low - share * self.span, self.high + share * self.span)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Return which values it does not show, bool of their shape."""
        return (values < self.low) | (values > self.high)


def shown_range(
    groups: Sequence[np.ndarray], tail: float = TAIL, always: np.ndarray | None = None
) -> Shown:
    """Return the stretch of the axis on which all groups of values can be told apart.

    The core of a group is what is left of it without a share `tail` at either end. The stretch has
    every value, unless some are further from the cores of all groups than those are wide; then it
    ends where the cores, the means, and the values of `always` do.
    """
    lowest, highest = min(map(np.min, groups)), max(map(np.max, groups))
    kept = [] if always is None or not len(always) else [always.min(), always.max()]
    low = min([*(min(np.quantile(group, tail), group.mean()) for group in groups), *kept])
    high = max([*(max(np.quantile(group, 1 - tail), group.mean()) for group in groups), *kept])
    far = high - low
    if far > 0:
        lowest = lowest if lowest >= low - far else low
        highest = highest if highest <= high + far else high
    return Shown(float(lowest), float(highest))


def label_axes(axes: Axes, across: str = "", up: str = "", size: float = AXIS_SIZE) -> None:
    """Write below and beside axes what they show."""
    axes.set_xlabel(across, color=INK, size=size)
    axes.set_ylabel(up, color=INK, size=size)


def with_unit(name: str, values: np.ndarray) -> str:
    """Return a property's name with the unit of its values, where it is known."""
    known = unit(name, values).strip()
    return f"{name} ({known})" if known else name


def plain_axes(axes: Axes, grid: Literal["x", "both"]) -> None:
    """Take away whatever is no help in reading values off axes, and put a pale grid behind."""
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.grid(axis=grid, color=PALE, linewidth=0.8)
    axes.tick_params(axis=grid, length=0, colors=GREY)
    axes.set_axisbelow(True)
