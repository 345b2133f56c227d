"""Measured tables as data: the true values of architectures, where somebody measured them."""

from diffusionnag.tables.analog import read_analog_nasbench
from diffusionnag.tables.data_folder import DATA_FOLDER_VARIABLE
from diffusionnag.tables.known_tables import (
    TABLES,
    KnownTable,
    known_tables,
    measured_table,
    open_table,
    split_table,
)
from diffusionnag.tables.measurements import Measurements, clean_measurements, nothing_to_learn
from diffusionnag.tables.nasbench_graph import read_nas_bench_graph
from diffusionnag.tables.table import RESOLUTION, Table, read_table

__all__ = [
    "DATA_FOLDER_VARIABLE",
    "RESOLUTION",
    "TABLES",
    "KnownTable",
    "Measurements",
    "Table",
    "clean_measurements",
    "known_tables",
    "measured_table",
    "nothing_to_learn",
    "open_table",
    "read_analog_nasbench",
    "read_nas_bench_graph",
    "read_table",
    "split_table",
]
