"""Rows of a table with the value that each should give: from a file, or bundled with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffusionnag._packages import require_packages
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.tabular.columns import choose_column, read_columns

SKLEARN = "sklearn:"
"""Before the name of a data set that scikit-learn brings along."""
BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
TARGETS = ("target", "label", "labels", "class", "y")
"""What a column to be told is usually called; where none is called so, the last one is told."""


@dataclass(frozen=True, eq=False)
class Rows:
    """N rows: features by column, and the values to be told, each N float64 or texts (object)."""

    name: str
    features: dict[str, np.ndarray]
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.target)


def read_rows(source: str | Path, target: str | None = None) -> Rows:
    """Return the rows of a CSV or Parquet file, or of `sklearn:NAME`.

    `target` names the column to be told; if left out, it is one called `target`, `label`, `class`
    or `y`, else the last. Rows without a value of it are left out. Raises DiffusionNAGError for
    what is no such table, and an unknown name.
    """
    name = str(source)
    if name.startswith(SKLEARN):
        columns, chosen = _bundled(name.removeprefix(SKLEARN)), "target"
    else:
        columns = read_columns(Path(source))
        names = list(columns)
        chosen = choose_column(names, target, TARGETS) or names[-1]
    values = columns.pop(chosen)
    if not columns:
        raise DiffusionNAGError(f"{name} has no column beside {chosen!r}, from which to tell it")
    known = np.array([value is not None and value == value for value in values], dtype=bool)
    if not known.any():
        raise DiffusionNAGError(f"{name} has no value in its column {chosen!r}")
    return Rows(name, {name: column[known] for name, column in columns.items()}, values[known])


def class_numbers(values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the classes in a column, sorted, and the number of each row's, int64."""
    whole = values.dtype != object and np.array_equal(values, np.round(values))
    distinct, numbers = np.unique(values.astype(np.int64) if whole else values, return_inverse=True)
    return tuple(map(str, distinct.tolist())), numbers.astype(np.int64)


def _bundled(name: str) -> dict[str, np.ndarray]:
    require_packages("search", "sklearn")
    from sklearn import datasets

    if name not in BUNDLED:
        raise DiffusionNAGError(
            f"scikit-learn bundles no {name!r} here; it has {', '.join(BUNDLED)}"
        )
    bunch: Any = getattr(datasets, f"load_{name}")()
    columns = {
        str(feature): np.asarray(values, dtype=float)
        for feature, values in zip(bunch.feature_names, bunch.data.T, strict=True)
    }
    return columns | {"target": np.asarray(bunch.target, dtype=float)}
