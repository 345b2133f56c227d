"""Files of architectures as `--out` writes them: JSON lines, CSV or Parquet, as the ending says."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from diffusionnag._files import write_atomically
from diffusionnag._packages import require_packages
from diffusionnag.artifacts.json_lines import ArchitectureRecord, write_records
from diffusionnag.errors import DiffusionNAGError

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa


def _csv_writer(path: str, schema: pa.Schema) -> TableWriter:
    from pyarrow import csv

    return csv.CSVWriter(path, schema)


def _parquet_writer(path: str, schema: pa.Schema) -> TableWriter:
    from pyarrow import parquet

    return parquet.ParquetWriter(path, schema)


class TableWriter(Protocol):
    """What appends tables of one schema to a file until it is closed."""

    def write_table(self, table: pa.Table) -> None:
        """Append a table."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


WRITERS: dict[str, Callable[[str, pa.Schema], TableWriter]] = {
    ".csv": _csv_writer,
    ".parquet": _parquet_writer,
}
TOGETHER = 20_000
"""Records of which a table is made at a time, so that all of them need not fit into memory."""
JSON_LINES = ".jsonl"


def check_record_path(path: Path) -> None:
    """Raise DiffusionNAGError for an ending of which nothing is known; a device needs none."""
    if path.suffix not in (JSON_LINES, *WRITERS) and not (path.exists() and not path.is_file()):
        raise DiffusionNAGError(
            f"cannot write {path}: its name should end in {JSON_LINES}, {' or '.join(WRITERS)}"
        )


def write_record_file(path: Path, records: Iterable[ArchitectureRecord]) -> None:
    """Write records as the path's ending says, each property in a column of a table.

    The columns of a table are `architecture`, the properties by name, `NAME std` and `NAME true`,
    and `front`, `trial`, `allowed` where known: those of which one of the first 20,000 records knows
    something. Memory stays bounded if the records are not held. Raises DiffusionNAGError for an
    unknown ending, EnvironmentFailureError where the file cannot be written.
    """
    check_record_path(path)
    if path.suffix not in WRITERS:
        write_records(path, records)
        return
    import pyarrow as pa

    remaining = iter(records)
    rows = list(map(_table_row, itertools.islice(remaining, TOGETHER)))
    # Arrow takes the columns of the first row; another one may know more.
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    with write_atomically(path) as temporary:
        writer = WRITERS[path.suffix](str(temporary), table.schema)
        with contextlib.closing(writer):
            writer.write_table(table)
            while rows := list(map(_table_row, itertools.islice(remaining, TOGETHER))):
                writer.write_table(pa.Table.from_pylist(rows, schema=table.schema))


def data_frame(records: Iterable[ArchitectureRecord]) -> pandas.DataFrame:
    """Return records as a table of pandas, with the columns of `write_record_file`.

    Raises DiffusionNAGError where pandas is missing.
    """
    require_packages("report", "pandas")
    import pandas

    return pandas.DataFrame(list(map(_table_row, records)))


def _table_row(record: ArchitectureRecord) -> dict[str, Any]:
    """Return a record as one row of a table, by column; what is not known has none."""
    row: dict[str, Any] = {"architecture": record.architecture}
    for name, value in record.properties.items():
        row[name] = value
        if name in record.std:
            row[f"{name} std"] = record.std[name]
        if name in record.true:
            row[f"{name} true"] = record.true[name]
    others = {"front": record.front, "trial": record.trial, "allowed": record.allowed}
    return row | {name: value for name, value in others.items() if value is not None}
