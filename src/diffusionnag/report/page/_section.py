"""The parts of a page: plain values, which the template turns into HTML."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import numpy as np

from diffusionnag.artifacts.model_cards import About
from diffusionnag.report.page._pictures import Picture

WIDTH = 72
"""Characters of a line of a command."""


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns; the first `shown` stand open, the others folded."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shown: int


@dataclass(frozen=True)
class Section:
    """What the page tells of one file, study or model.

    `asked` and `figures` are pairs of a name and a value; `drawings` are architectures, each with
    the line that stands below it, under the heading `drawn`. `headline` and `next_step` are what
    the overview at the top says of it.
    """

    anchor: str
    kind: str
    title: str
    asked: tuple[tuple[str, str], ...]
    command: str
    figures: tuple[tuple[str, str], ...] = ()
    plots: tuple[Picture, ...] = ()
    drawn: str = ""
    drawings: tuple[tuple[Picture, str], ...] = ()
    tables: tuple[Table, ...] = ()
    headline: str = ""
    next_step: str = ""

    @property
    def command_lines(self) -> str:
        """The command as lines that a shell takes as one, broken before options only."""
        try:
            words = [shlex.quote(word) for word in shlex.split(self.command)]
        except ValueError:
            return self.command
        options: list[str] = []
        for word in words:
            if options and not word.startswith("-"):
                options[-1] += f" {word}"
            else:
                options.append(word)
        lines = options[:1]
        for option in options[1:]:
            if len(lines[-1]) + len(option) >= WIDTH:
                lines.append("   ")
            lines[-1] += f" {option}"
        return " \\\n".join(lines)


def asked_for(about: About, **first: str) -> tuple[tuple[str, str], ...]:
    """Return what was asked for, by name, and where and when, without what is empty.

    `first` comes first, `_` in its names standing for a space.
    """
    asked = {name.replace("_", " "): text for name, text in first.items()}
    asked |= {"date": about.date, "machine": about.machine, "commit": about.commit}
    return tuple((name, text) for name, text in asked.items() if text)


def number(value: float) -> str:
    """Return a number with five digits that count, `-` where it is none."""
    if not np.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.5g}"
