"""The columns of a CSV or Parquet file as arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError

TABLE_SUFFIXES = (".csv", ".parquet")
"""The kinds of files that rows come from."""


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Return each column of a file by its name: float64 with NaN, or texts (object) with None.

    Raises DiffusionNAGError for a file that is missing, of another kind, damaged or without rows,
    EnvironmentFailureError for one that cannot be read.
    """
    import pyarrow as pa

    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise DiffusionNAGError(f"{path}: examples come from a {' or '.join(TABLE_SUFFIXES)} file")
    if not path.is_file():
        raise DiffusionNAGError(f"no file {path}")
    try:
        table = _read(path, suffix)
    except PermissionError as error:
        raise EnvironmentFailureError(f"cannot read {path}: {error.strerror}") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DiffusionNAGError(f"{path} is damaged or not a {suffix} file: {reason}") from error
    if len(table) == 0:
        raise DiffusionNAGError(f"{path} has no rows")
    if len(set(table.column_names)) < len(table.column_names):
        raise DiffusionNAGError(f"{path} has two columns of one name")
    return {name: _values(table.column(name), f"{path}: {name}") for name in table.column_names}


def _read(path: Path, suffix: str):
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path)
    from pyarrow import csv

    # A quoted text may go over several lines.
    return csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True))


def _values(column, where: str) -> np.ndarray:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind):
        column, kind = column.cast(pa.int8()), pa.int8()
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(float)
    try:
        texts = column.cast(pa.string()).to_pylist()
    except pa.ArrowException as error:
        raise DiffusionNAGError(f"{where} holds neither numbers nor texts") from error
    return np.array([text or None for text in texts], dtype=object)


def choose_column(names: Sequence[str], wanted: str | None, usual: Collection[str]) -> str | None:
    """Return the column that is wanted by its name, or the first that is usually called so.

    Without either, None. Raises DiffusionNAGError for a wanted one that is not there.
    """
    if wanted is not None and wanted not in names:
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise DiffusionNAGError(f"there is no column {wanted!r}; there are {shown}")
    return wanted or next((name for name in names if name.lower() in usual), None)
