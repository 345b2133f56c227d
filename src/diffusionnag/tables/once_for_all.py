"""Measured sub-networks of Once-for-All: the files of those who searched among them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import get_search_space
from diffusionnag.tables.cells import listed, numbers_of, read_cells
from diffusionnag.tables.table import RESOLUTION, Table

SPACE = "mobilenetv3"
DYNAS_T_COLUMNS = {
    "Model Parameters": "params",
    "MACs": "macs",
    "Latency (ms)": "latency_ms",
    "Top-1 Acc (%)": "imagenet_top1",
}
"""What the search logs of DyNAS-T (IntelLabs) call their numbers."""
CONFIGURATION = "Sub-network"
DEFAULT_RESOLUTION = 224.0
CONFIGURED = ("ks", "e", "d", "r", "wid")
"""Kernels, expansions, depths, resolution and width: the fields of a configuration."""
EARLY_EXIT = "_early_exit"


def read_once_for_all(paths: Sequence[Path]) -> Table:
    """Return the sub-networks of width 1.0 in files, one row a measurement.

    A file is a search log of DyNAS-T (.csv), or has a configuration of Once-for-All,
    `{"ks": [...], "e": [...], "d": [...], "r": 192, "imagenet_top1": 75.1}`, in each line (.jsonl).
    Columns of zeros alone, as DyNAS-T writes for what it did not measure, are left out. Raises
    DiffusionNAGError for a file that is missing, damaged or none of the two.
    """
    space = get_search_space(SPACE)
    architectures, rows = [], []
    for path in paths:
        for place, configuration, numbers in _rows(path):
            if configuration.get("wid") not in (None, 1, 1.0):
                continue
            try:
                architectures.append(space.format(space.parse(json.dumps(configuration))))
                rows.append({RESOLUTION: _resolution(configuration), **numbers})
            except DiffusionNAGError as error:
                raise DiffusionNAGError(f"{path}: row {place}: {error}") from error
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    measured = {name: values for name, values in columns.items() if np.nan_to_num(values).any()}
    if len(measured) < 2:
        raise DiffusionNAGError(f"{listed(list(map(str, paths)))}: no measured sub-network in them")
    return Table("mobilenetv3_ofa_imagenet", tuple(architectures), measured)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any], dict[str, float]]]:
    """Yield each row's number, from 1, its configuration, and its other numbers by name."""
    cells = read_cells(path)
    if CONFIGURATION in cells:
        parsed = [_configuration(str(text)) for text in cells[CONFIGURATION]]
        names = {name: new for name, new in DYNAS_T_COLUMNS.items() if name in cells}
    elif {"ks", "e", "d"} <= set(cells):
        fields = [name for name in CONFIGURED if name in cells]
        parsed = [
            dict(zip(fields, row, strict=True))
            for row in zip(*(cells[name] for name in fields), strict=True)
        ]
        names = {name: name for name in cells if name not in CONFIGURED}
    else:
        raise DiffusionNAGError(
            f"{path}: has neither a column {CONFIGURATION!r} nor ks, e and d; it has {listed(cells)}"
        )
    numbers = {new: numbers_of(cells[name])[0] for name, new in names.items()}
    for row, configuration in enumerate(parsed):
        if configuration is None:
            raise DiffusionNAGError(f"{path}: row {row + 1} holds no configuration")
        yield row + 1, configuration, {name: float(of[row]) for name, of in numbers.items()}


def _configuration(text: str) -> Mapping[str, Any] | None:
    """Return the object that Python wrote as this text, None where it is none."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def _resolution(configuration: Mapping[str, Any]) -> float:
    """Return the resolution of a configuration, the usual one where it has none."""
    given = configuration.get("r")
    if isinstance(given, list) and given:
        given = given[0]
    (resolution,), unreadable = numbers_of([given])
    if unreadable:
        raise DiffusionNAGError(f"the resolution r is {unreadable[1]!r}, which is no number")
    return DEFAULT_RESOLUTION if np.isnan(resolution) else float(resolution)


def read_dataset_accuracies(path: Path) -> Table:
    """Return the accuracies of sub-networks tuned on image data sets, one column a data set.

    The file has the columns `arch`, `dataset`, `resolution`, `top1` and `early_exit`. Networks with
    early exits, at 32 pixels, are not comparable with plain ones, so the columns of a data set that
    has both are `cifar10` and `cifar10_early_exit`. Raises DiffusionNAGError for any other file.
    """
    cells = read_cells(path)
    missing = [
        name for name in ("arch", "dataset", RESOLUTION, "top1", "early_exit") if name not in cells
    ]
    if missing:
        raise DiffusionNAGError(f"{path}: has no column {missing[0]!r}; it has {listed(cells)}")
    dataset = np.array([str(name) for name in cells["dataset"]])
    top1, early = numbers_of(cells["top1"])[0], numbers_of(cells["early_exit"])[0] == 1
    columns = {RESOLUTION: numbers_of(cells[RESOLUTION])[0]}
    for name in dict.fromkeys(dataset.tolist()):
        of = dataset == name
        both = early[of].any() and not early[of].all()
        columns[name] = np.where(of & ~early if both else of, top1, np.nan)
        if both:
            columns[name + EARLY_EXIT] = np.where(of & early, top1, np.nan)
    return Table(path.stem, tuple(map(str, cells["arch"])), columns)
