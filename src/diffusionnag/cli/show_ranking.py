"""How architectures are listed with what is known of them, on a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from diffusionnag.cli.console import results

UNLIMITED = 10_000
"""Columns of a terminal on which anything fits."""

Column = tuple[str, Sequence[str]]
"""A heading, and a cell for each architecture."""


def print_ranking(architectures: Sequence[str], columns: Sequence[Column]) -> None:
    """Print architectures by number with their columns, their strings never broken in two.

    Where the terminal is too narrow for them the strings stand below, by number.
    """
    table = _table([("architecture", architectures), *columns])
    if (
        results.measure(table, options=results.options.update(width=UNLIMITED)).maximum
        <= results.width
    ):
        results.print(table)
        return
    if columns:
        results.print(_table(columns))
    for number, architecture in enumerate(architectures, start=1):
        results.print(f"{number:>3}  {architecture}", markup=False)


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("", justify="right")
    for heading, _ in columns:
        strings = heading == "architecture"
        table.add_column(escape(heading), justify="left" if strings else "right", no_wrap=strings)
    for number, cells in enumerate(zip(*(cells for _, cells in columns), strict=True), start=1):
        table.add_row(str(number), *map(escape, cells))
    return table
