"""A measured table: architectures, and what was measured on each of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from diffusionnag._files import check_writable, write_atomically
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.tables.cells import architecture_text, listed, numbers_of, read_cells

RESOLUTION = "resolution"
"""The column that says at which input resolution, in pixels, the others of a row were measured."""


@dataclass(frozen=True, eq=False)
class Table:
    """Measured properties of architectures, one row a measurement.

    `architectures` holds N architecture strings, an empty one where a row has none, each column N
    float64 values, NaN where nothing was measured. `unreadable` holds, by column and row (from 1),
    the cells that hold something else than a number. The columns are read-only copies, so one table
    can be shared. Raises ValueError for a column of another shape.
    """

    name: str
    architectures: tuple[str, ...]
    columns: dict[str, np.ndarray]
    unreadable: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {name: np.array(values, np.float64) for name, values in self.columns.items()}
        for name, values in columns.items():
            if values.shape != (len(self.architectures),):
                raise ValueError(f"column {name!r} does not have one value an architecture")
            values.flags.writeable = False
        object.__setattr__(self, "columns", columns)

    def column(self, name: str) -> np.ndarray:
        """Return the column of that name, shape (N,); DiffusionNAGError names the nearest ones.

        `NAME@192` is what of the column NAME was measured at a `resolution` of 192 pixels.
        """
        if name in self.columns:
            return self.columns[name]
        column, _, resolution = name.rpartition("@")
        if column in self.columns and RESOLUTION in self.columns:
            return self._at(column, resolution)
        if name in self.unreadable:
            row, cell = next(iter(self.unreadable[name].items()))
            raise DiffusionNAGError(
                f"the column {name!r} of the table {self.name} holds no number, but {cell!r} in row {row}"
            )
        nearest = difflib.get_close_matches(name, self.columns, n=3, cutoff=0.4)
        choice = f"nearest: {', '.join(nearest)}" if nearest else f"it has {listed(self.columns)}"
        raise DiffusionNAGError(f"the table {self.name} has no column {name!r}; {choice}")

    @cached_property
    def resolutions(self) -> tuple[float, ...]:
        """The input resolutions of the measurements, in pixels, where they have any."""
        at = self.columns.get(RESOLUTION, np.zeros(0))
        return tuple(np.unique(at[np.isfinite(at)]).tolist())

    @cached_property
    def measured_names(self) -> tuple[str, ...]:
        """What can be looked up: the columns, or `NAME@192` and so on where resolutions differ."""
        if not self.resolutions:
            return tuple(self.columns)
        return tuple(
            f"{name}@{resolution:g}"
            for name in self.columns
            if name != RESOLUTION
            for resolution in self.resolutions
        )

    def _at(self, column: str, resolution: str) -> np.ndarray:
        for known in self.resolutions:
            if resolution == f"{known:g}":
                return np.where(self.columns[RESOLUTION] == known, self.columns[column], np.nan)
        raise DiffusionNAGError(
            f"nothing of the table {self.name} was measured at a resolution of {resolution!r}; "
            f"it has {listed([f'{known:g}' for known in self.resolutions])}"
        )

    def lookup(self, column: str, architectures: Sequence[str]) -> np.ndarray:
        """Return the measured value of each architecture, NaN where the table has none.

        Shape (len(architectures),), in the unit of the column; an architecture that was measured
        more than once gets the mean. Raises DiffusionNAGError for an unknown column.
        """
        values = self.column(column)
        groups, group_of_row = self._groups
        measured = ~np.isnan(values)
        # One group more than there are stays empty, so that it is the NaN of unknown architectures.
        size = len(groups) + 1
        total = np.bincount(group_of_row[measured], values[measured], minlength=size)
        count = np.bincount(group_of_row[measured], minlength=size)
        means = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)
        wanted = [groups.get(architecture, len(groups)) for architecture in architectures]
        return means[np.array(wanted, dtype=np.intp)]

    @cached_property
    def _groups(self) -> tuple[dict[str, int], np.ndarray]:
        """Number the distinct architectures, and give each row its number, shape (N,)."""
        groups: dict[str, int] = {}
        numbers = [groups.setdefault(name, len(groups)) for name in self.architectures]
        return groups, np.array(numbers, dtype=np.intp)


def read_table(path: str | Path, architecture_column: str = "arch") -> Table:
    """Read a measured table from a file: Parquet (.parquet), CSV (.csv) or JSON lines (.jsonl).

    JSON lines may be those that `generate --out` and `search --out` write. Columns that hold numbers
    become the table's columns, what else they hold becomes NaN, and the file's stem the name. A
    column `architecture` serves where `architecture_column` is absent. Raises DiffusionNAGError for
    a file that is missing, damaged or no such table, EnvironmentFailureError for one that cannot be
    read.
    """
    path = Path(path)
    cells = read_cells(path)
    heading = next((name for name in (architecture_column, "architecture") if name in cells), None)
    if heading is None:
        raise DiffusionNAGError(
            f"{path}: has no architecture column {architecture_column!r}; it has {listed(cells)}"
        )
    architectures = tuple(map(architecture_text, cells.pop(heading)))
    if architectures and not any(architectures):
        raise DiffusionNAGError(f"{path}: column {heading!r} holds no text in any row")
    columns, unreadable = {}, {}
    for name, column in cells.items():
        values, others = numbers_of(column)
        if others:
            unreadable[name] = others
        if isinstance(column, np.ndarray) or not np.isnan(values).all():
            columns[name] = values
    if not columns:
        raise DiffusionNAGError(f"{path}: has no numeric column; add one with measured values")
    return Table(path.stem, architectures, columns, unreadable)


def check_table_path(path: Path) -> None:
    """Make sure, before work begins, that `write_table` can write to `path`.

    Raises DiffusionNAGError for a suffix other than .parquet, EnvironmentFailureError for a place
    that cannot be written.
    """
    if path.suffix.lower() != ".parquet":
        raise DiffusionNAGError(f"{path}: a table is written as a .parquet file; name it so")
    check_writable(path)


def write_table(table: Table, path: Path) -> None:
    """Write a table as a Parquet file that `read_table` reads: column `arch`, then its columns.

    A NaN becomes a null. Raises as `check_table_path` does, and EnvironmentFailureError for a
    disk that is full.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_table_path(path)
    columns = {name: pa.array(values, from_pandas=True) for name, values in table.columns.items()}
    content = pa.table({"arch": pa.array(table.architectures, pa.string()), **columns})
    with write_atomically(path) as temporary:
        pq.write_table(content, temporary)
