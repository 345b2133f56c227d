"""A user's own measurements, cleaned: distinct architectures with one finite value each."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space, search_space_names
from diffusionnag.tables.cells import listed, shortened
from diffusionnag.tables.table import Table

FEWEST_ARCHITECTURES = 5
"""From fewer measured architectures there is nothing to learn."""
LARGEST = 1e150
"""The squares of larger values are infinite, and so are the reciprocals of smaller distances."""
NAMED_ROWS = 5
"""A report names so many rows, and counts the others."""
LONGEST_REASON = 300
"""A report says in so many characters why a text is no architecture."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """N distinct architectures, the finite value of each, and what was done to a table's rows.

    `values` has shape (N,) and the unit of the column; each line of `report` is for the user, who
    counts the rows of the data from 1.
    """

    architectures: tuple[Architecture, ...]
    values: np.ndarray
    report: tuple[str, ...]


def clean_measurements(table: Table, space: SearchSpace, column: str) -> Measurements:
    """Return what a column of a table says about the architectures of a space.

    Left out are rows whose string is no architecture of the space, and rows without a finite
    value; an architecture that was measured more than once gets the mean. Raises DiffusionNAGError
    for an unknown column, for values that are all the same or out of range, and where fewer than 5
    architectures are left.
    """
    values = table.column(column)
    parsed, reasons = _parse(table.architectures, space)
    if reasons and not parsed:
        first = next(iter(reasons.values()))
        raise DiffusionNAGError(
            f"no row of {table.name} is of the space {space.name}: {first}{_hint(table, space)}"
        )
    unreadable = table.unreadable.get(column, {})
    texts = {row: unreadable[row] for row in parsed if row in unreadable}
    missing = [row for row in parsed if not np.isfinite(values[row - 1]) and row not in unreadable]
    rows_of = rows_by_architecture(table, space, np.isfinite(values))
    report = []
    if reasons:
        first = next(iter(reasons.values()))
        report.append(f"{_left_out(reasons)}: no {space.name} architecture; the first: {first}")
    if texts:
        shown = listed([repr(text) for text in dict.fromkeys(texts.values())], NAMED_ROWS)
        report.append(f"{_left_out(texts)}: {column} is no number, but {shown}")
    if missing:
        report.append(f"{_left_out(missing)}: no finite value of {column}")
    if len(rows_of) < FEWEST_ARCHITECTURES:
        repeats = sum(map(len, rows_of.values())) - len(rows_of)
        if repeats:
            report.append(f"{_count(repeats, 'row')}: the architecture of an earlier row")
        lost = f" ({'; '.join(report)})" if report else ""
        raise DiffusionNAGError(
            f"{table.name}: {_count(len(table.architectures), 'row')}, but only "
            f"{_count(len(rows_of), 'distinct architecture')} with a value of {column}; at least "
            f"{FEWEST_ARCHITECTURES} are needed{lost}"
        )
    report += _merged(list(rows_of.values()), values, column)
    means = np.array([mean_of_rows(values, rows) for rows in rows_of.values()])
    if fault := nothing_to_learn(means):
        raise DiffusionNAGError(
            f"{column} of {table.name} cannot be learnt: {fault}; choose another column"
        )
    return Measurements(tuple(rows_of), means, tuple(report))


def rows_by_architecture(
    table: Table, space: SearchSpace, usable: np.ndarray
) -> dict[Architecture, list[int]]:
    """Return the rows, from 1, of each architecture of a space, of those that are `usable` (N bool)."""
    parsed, _ = _parse(table.architectures, space)
    rows_of: dict[Architecture, list[int]] = {}
    for row, architecture in parsed.items():
        if usable[row - 1]:
            rows_of.setdefault(architecture, []).append(row)
    return rows_of


def mean_of_rows(values: np.ndarray, rows: Sequence[int]) -> float:
    """Return the mean of some rows, from 1, and exactly their value where they agree."""
    if len(rows) == 1:
        return float(values[rows[0] - 1])
    measured = _of(values, rows)
    return float(measured[0] if np.ptp(measured) == 0 else measured.mean())


def nothing_to_learn(values: np.ndarray) -> str:
    """Return why nothing can be learnt from finite values, `count`, and nothing where it can."""
    if values.max() == values.min():
        return f"all {len(values)} values are {values[0]:g}, so there is nothing to learn"
    if np.abs(values).max() > LARGEST or np.ptp(values) < 1 / LARGEST:
        return f"{values.min():g} to {values.max():g} is out of the range of calculation"
    return ""


# What was read last is kept: several columns of a table are mostly read one after the other.
@functools.lru_cache(maxsize=2)
def _parse(
    texts: tuple[str, ...], space: SearchSpace
) -> tuple[Mapping[int, Architecture], Mapping[int, str]]:
    """Return the architecture of each row that has one, and of the others why they have none."""
    parsed, reasons = {}, {}
    for row, text in enumerate(texts, start=1):
        try:
            parsed[row] = space.parse(text)
        except DiffusionNAGError as error:
            reasons[row] = shortened(str(error), LONGEST_REASON) if text else "the cell is empty"
    return parsed, reasons


def _hint(table: Table, space: SearchSpace) -> str:
    """Return a question that names another known space, if it has one of the first strings."""
    for name in search_space_names():
        if name == space.name:
            continue
        for row, text in enumerate(table.architectures[:NAMED_ROWS], start=1):
            # A space that somebody else's package brings may fail in any way; then it is no help.
            with suppress(Exception):
                get_search_space(name).parse(text)
                return f"; row {row} is a {name} architecture: did you mean that search space?"
    return ""


def _merged(groups: Sequence[list[int]], values: np.ndarray, column: str) -> list[str]:
    """Return what to say about architectures (each its rows) that occur in more than one row."""
    spreads = [(float(np.ptp(_of(values, rows))), rows) for rows in groups if len(rows) > 1]
    equal = [rows for spread, rows in spreads if spread == 0]
    report = []
    if equal:
        report.append(
            f"merged {_count(len(equal), 'architecture')} measured more than once, {column} being "
            f"the same (for example {_rows(equal[0])})"
        )
    if len(equal) < len(spreads):
        spread, rows = max(spreads, key=lambda pair: pair[0])
        averaged = ", ".join(f"{value:.6g}" for value in _of(values, rows[:NAMED_ROWS]))
        report.append(
            f"averaged {_count(len(spreads) - len(equal), 'architecture')} measured more than once "
            f"with different {column}; they differ by up to {spread:.3g} ({_rows(rows)}: {averaged})"
        )
    return report


def _of(values: np.ndarray, rows: Iterable[int]) -> np.ndarray:
    return np.array([values[row - 1] for row in rows])


def _left_out(rows: Iterable[int]) -> str:
    numbers = list(rows)
    return f"left out {_count(len(numbers), 'row')} ({_rows(numbers)})"


def _rows(rows: Sequence[int]) -> str:
    named = ", ".join(map(str, rows[:NAMED_ROWS]))
    more = f" and {len(rows) - NAMED_ROWS:,} more" if len(rows) > NAMED_ROWS else ""
    return f"row{'s' if len(rows) > 1 else ''} {named}{more}"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
