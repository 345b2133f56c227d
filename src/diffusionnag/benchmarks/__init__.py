"""Measured tables as data: the true values of architectures, where somebody measured them."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

from diffusionnag.benchmarks.analog import (
    ANALOG_NASBENCH,
    analog_nasbench_file,
    read_analog_nasbench,
)
from diffusionnag.benchmarks.table import Table, read_table

__all__ = [
    "DATA_FOLDER_VARIABLE",
    "Table",
    "known_tables",
    "measured_table",
    "read_analog_nasbench",
    "read_table",
]

DATA_FOLDER_VARIABLE = "DIFFUSIONNAG_DATA"

_FILES = {
    "nasbench201": ("nasbench201_accuracy.parquet", "nasbench201_latency_ms.parquet"),
    "mobilenetv3": ("mobilenetv3_ofa_latency_ms.parquet",),
    "mnasnet": ("mnasnet_imagenet.parquet",),
}


def known_tables(space_name: str) -> dict[str, Callable[[], Table]]:
    """Return the measured tables of a search space that are installed here, as name -> reader.

    A table is installed when its package is, or when its file lies in the folder named by the
    environment variable DIFFUSIONNAG_DATA. Nothing is read before a reader is called; a reader
    raises DiffusionNAGError for a damaged table.
    """
    tables: dict[str, Callable[[], Table]] = {}
    if space_name == "nasbench201" and analog_nasbench_file() is not None:
        tables[ANALOG_NASBENCH] = read_analog_nasbench
    folder = os.environ.get(DATA_FOLDER_VARIABLE)
    if folder:
        for path in (Path(folder) / file for file in _FILES.get(space_name, ())):
            if path.is_file():
                tables[path.stem] = functools.partial(read_table, path)
    return tables


def measured_table(space_name: str, property_name: str) -> Table | None:
    """Return the first installed table of the space with a column of that name, None without one.

    Example: `measured_table("nasbench201", "cifar10")`. Raises DiffusionNAGError for a damaged
    table.
    """
    tables = (read() for read in known_tables(space_name).values())
    return next((table for table in tables if property_name in table.columns), None)
