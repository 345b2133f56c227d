"""A measured table: architectures, and what was measured on each of them."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffusionnag._files import check_writable, write_atomically
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Table:
    """Measured properties of architectures, one row a measurement.

    `architectures` holds N architecture strings, each column N float64 values, NaN where nothing
    was measured. The columns are read-only copies, so one table can be shared. Raises ValueError
    for a column of another shape.
    """

    name: str
    architectures: tuple[str, ...]
    columns: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        columns = {name: np.array(values, np.float64) for name, values in self.columns.items()}
        for name, values in columns.items():
            if values.shape != (len(self.architectures),):
                raise ValueError(f"column {name!r} does not have one value an architecture")
            values.flags.writeable = False
        object.__setattr__(self, "columns", columns)

    def column(self, name: str) -> np.ndarray:
        """Return the column of that name, shape (N,); DiffusionNAGError names the nearest ones."""
        if name in self.columns:
            return self.columns[name]
        nearest = difflib.get_close_matches(name, self.columns, n=3, cutoff=0.4)
        choice = (
            f"nearest: {', '.join(nearest)}" if nearest else f"it has {', '.join(self.columns)}"
        )
        raise DiffusionNAGError(f"the table {self.name} has no column {name!r}; {choice}")

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

    Its numeric columns become the table's columns, a null becomes NaN, and the file's stem the
    name. A column `architecture` serves where `architecture_column` is absent. Raises
    DiffusionNAGError for a file that is missing, damaged or no such table,
    EnvironmentFailureError for one that cannot be read.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DiffusionNAGError(f"{path}: a table must be one of {', '.join(_READERS)}")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DiffusionNAGError(f"{path}: no such file; check the path of the table") from None
    except OSError as error:
        raise EnvironmentFailureError(f"{path}: cannot be read: {error.strerror}") from error
    candidates = (architecture_column, "architecture")
    try:
        content = reader(data, candidates)
        content.validate(full=True)
    except (OSError, ValueError, LookupError, TypeError, NotImplementedError) as error:
        # Arrow reports damage as any of these, at times over several lines.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        kind = path.suffix.lower()
        raise DiffusionNAGError(
            f"{path}: is damaged or not a {kind} file ({reason}); get or export the file again"
        ) from error
    return _to_table(path, content, candidates)


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


def _to_table(path: Path, content: "pa.Table", candidates: tuple[str, ...]) -> Table:
    import pyarrow as pa

    names = content.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DiffusionNAGError(f"{path}: has two columns named {twice!r}; rename one of them")
    found = next((name for name in candidates if name in names), None)
    if found is None:
        raise DiffusionNAGError(
            f"{path}: has no architecture column {candidates[0]!r}; it has {', '.join(names)}"
        )
    architectures = content[found].to_pylist()
    if not all(isinstance(architecture, str) for architecture in architectures):
        raise DiffusionNAGError(f"{path}: column {found!r} must hold a text in every row")
    columns = {
        name: values.to_numpy()
        for name, values in zip(names, content.columns, strict=True)
        if pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    }
    if not columns:
        raise DiffusionNAGError(f"{path}: has no numeric column; add one with measured values")
    return Table(path.stem, tuple(architectures), columns)


def _read_parquet(data: bytes, _: tuple[str, ...]) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(data)).read()


def _read_csv(data: bytes, candidates: tuple[str, ...]) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv

    # Inference would read an architecture such as 02012100 as a number, and lose its leading 0.
    options = csv.ConvertOptions(column_types=dict.fromkeys(candidates, pa.string()))
    return csv.read_csv(pa.BufferReader(data), convert_options=options)


def _read_json_lines(data: bytes, _: tuple[str, ...]) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import json

    return json.read_json(pa.BufferReader(data))


_READERS: dict[str, Callable[[bytes, tuple[str, ...]], "pa.Table"]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
}
