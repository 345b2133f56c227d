"""The cells of a table's file, column by column, and what numbers they hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffusionnag._files import read_file
from diffusionnag.artifacts.json_lines import read_objects
from diffusionnag.errors import DiffusionNAGError

Cells = dict[str, Sequence[Any] | np.ndarray]
"""The cells of each column by its name, one a row; an array where all are numbers, NaN if missing."""

MOST_COLUMNS = 10_000
LONGEST_SHOWN = 40
"""Of a cell a message shows so many characters."""
_NO_VALUE = frozenset(("", "na", "n/a", "#n/a", "nan", "-nan", "null", "none"))


def read_cells(path: Path) -> Cells:
    """Return the columns of a file by what its suffix says: .parquet, .csv or .jsonl.

    Raises DiffusionNAGError for another suffix, a file that is missing or damaged, and one without
    rows or with two columns of one name; EnvironmentFailureError for one that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise DiffusionNAGError(f"{path}: a table must be one of {', '.join(_READERS)}")
    try:
        return _READERS[suffix](path)
    except DiffusionNAGError:
        raise
    # Arrow reports damage as any of these, at times over several lines.
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        NotImplementedError,
        OverflowError,
        MemoryError,
        csv.Error,
    ) as error:
        reason = shortened(next(iter(str(error).splitlines()), type(error).__name__), 120)
        raise DiffusionNAGError(
            f"{path}: is damaged or not a {suffix} file ({reason}); get or export the file again"
        ) from error


def numbers_of(cells: Sequence[Any] | np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Return the numbers of a column, NaN where there is none, and the other cells by their row.

    A text that is a number is one, `true` is 1, and `NA`, `null` and the like are missing values.
    Rows are counted from 1.
    """
    if isinstance(cells, np.ndarray):
        return cells, {}
    numbers, unreadable = np.full(len(cells), np.nan), {}
    for row, cell in enumerate(cells):
        if cell is None or (isinstance(cell, str) and cell.strip().lower() in _NO_VALUE):
            continue
        try:
            # Python would read the digits of other scripts, and 1_000, as numbers too.
            if isinstance(cell, str) and not (cell.isascii() and "_" not in cell):
                raise ValueError(cell)
            if isinstance(cell, bytes):
                raise TypeError(cell)
            numbers[row] = float(cell)
        except (TypeError, ValueError, ArithmeticError):
            unreadable[row + 1] = shortened(str(cell))
    return numbers, unreadable


def architecture_text(cell: Any) -> str:
    """Return the text of a cell; of a whole number its digits, and of anything else nothing."""
    if isinstance(cell, float | np.floating):
        return str(int(cell)) if float(cell).is_integer() else ""
    return str(cell) if isinstance(cell, str | int) and not isinstance(cell, bool) else ""


def shortened(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Return the beginning of a text, in one line."""
    text = " ".join(text[: 2 * longest].split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def listed(names: Mapping[str, Any] | Sequence[str], most: int = 12) -> str:
    """Return the first names in words, and how many there are besides."""
    first = [shortened(name) for name in list(names)[:most]]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more:,} more" if more else "")


def _read_parquet(path: Path) -> Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = pq.ParquetFile(pa.BufferReader(read_file(path))).read()
    content.validate(full=True)
    _check_names(path, content.column_names)
    cells: Cells = {}
    for name, column in zip(content.column_names, content.columns, strict=True):
        plain = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        cells[name] = _numbers_of(column) if plain else column.to_pylist()
    return cells


def _numbers_of(column: Any) -> np.ndarray:
    """Return a column of numbers as float64, NaN where it has none."""
    if column.null_count or not column.num_chunks:
        return column.to_numpy().astype(np.float64)
    # `to_numpy` would import pandas where that is installed, which takes longer than the reading.
    return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks]).astype(np.float64)


def _read_csv(path: Path) -> Cells:
    text = read_file(path).decode("utf-8-sig")
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    names = [name.strip() for name in next(rows, [])]
    if not any(names):
        raise ValueError("it is empty")
    _check_names(path, names)
    columns: list[list[str]] = [[] for _ in names]
    for row in rows:
        if not row:
            continue
        if len(row) != len(names):
            raise ValueError(f"line {rows.line_num} has {len(row)} cells instead of {len(names)}")
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    return dict(zip(names, columns, strict=True))


def _read_json_lines(path: Path) -> Cells:
    """Return the columns of objects; what stands in `properties` is a column as any other.

    Values of other objects within, such as `true`, are columns called `NAME true`.
    """
    rows = []
    for values in read_objects(path).values():
        row: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, dict):
                suffix = "" if name == "properties" else f" {name}"
                row |= {f"{key}{suffix}": cell for key, cell in value.items()}
            else:
                row[name] = value
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not rows:
        raise ValueError("it is empty")
    _check_names(path, names)
    return {name: [row.get(name) for row in rows] for name in names}


def _check_names(path: Path, names: Sequence[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise DiffusionNAGError(f"{path}: has {len(names):,} columns, more than {MOST_COLUMNS:,}")
    if len(set(names)) < len(names):
        twice = shortened(next(name for name in names if names.count(name) > 1))
        raise DiffusionNAGError(f"{path}: has two columns named {twice!r}; rename one of them")


_READERS: dict[str, Callable[[Path], Cells]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
}
