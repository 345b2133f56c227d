"""The measured tables that the library knows of: what each is, where it is, and how it is opened."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import SearchSpace
from diffusionnag.tables.analog import (
    ANALOG_NASBENCH,
    analog_nasbench_file,
    read_analog_nasbench,
)
from diffusionnag.tables.data_folder import DATA_FOLDER_VARIABLE, data_file
from diffusionnag.tables.hw_gpt_bench import read_hw_gpt_bench
from diffusionnag.tables.isomorphic_cells import shared_by_isomorphic_cells
from diffusionnag.tables.nasbench_graph import (
    NAS_BENCH_GRAPH,
    nas_bench_graph_folder,
    read_nas_bench_graph,
)
from diffusionnag.tables.nasbench_macro import read_nasbench_macro
from diffusionnag.tables.once_for_all import read_dataset_accuracies
from diffusionnag.tables.table import RESOLUTION, Table, read_table


@dataclass(frozen=True)
class KnownTable:
    """A measured table that the library knows of, whether or not it is installed here.

    `source` says who measured it, `how_to_get` what to do where it is not installed. The tables
    analog-nasbench and nas-bench-graph are packages; each other one is the file `NAME.parquet` in
    the folder named by the environment variable DIFFUSIONNAG_DATA.
    """

    name: str
    space: str
    source: str
    how_to_get: str
    prefix: str = ""
    """What stands before the file's column names, to tell `latency:pixel3` from other properties."""
    read: Callable[[Path], Table] = read_table
    """What reads the file."""
    find: Callable[[], Path | None] | None = None
    """What finds the data of a package; None for a file."""
    one_of_each_class: bool = False
    """Whether the file has one cell for each class of isomorphic ones, which share its values."""

    def reader(self) -> Callable[[], Table] | None:
        """Return what reads the table, None where it is not installed; nothing is read yet.

        The reader raises DiffusionNAGError for a damaged table.
        """
        path = self.find() if self.find else data_file(f"{self.name}.parquet")
        return None if path is None else functools.partial(self._read, path)

    def _read(self, path: Path) -> Table:
        table = self.read(path)
        if self.prefix:
            columns = {
                name if name == RESOLUTION else self.prefix + name: values
                for name, values in table.columns.items()
            }
            table = Table(table.name, table.architectures, columns)
        return shared_by_isomorphic_cells(table) if self.one_of_each_class else table


TABLES = (
    KnownTable(
        ANALOG_NASBENCH,
        "nasbench201",
        "analog-nasbench on PyPI",
        "pip install 'diffusionnag[bench]'",
        read=lambda _: read_analog_nasbench(),
        find=analog_nasbench_file,
    ),
    KnownTable(
        "nasbench201_accuracy",
        "nasbench201",
        "NATS-Bench (Dong & Yang 2020)",
        "diffusionnag import nats-bench FOLDER --out nasbench201_accuracy.parquet",
    ),
    KnownTable(
        "nasbench201_latency_ms",
        "nasbench201",
        "HELP (Lee et al. 2021)",
        "export it as nasbench201_latency_ms.parquet",
        "latency:",
    ),
    KnownTable(
        "nasbench201_robustness_cifar10",
        "nasbench201",
        "Jung et al. 2023",
        "export it as nasbench201_robustness_cifar10.parquet",
        "robustness:",
        one_of_each_class=True,
    ),
    KnownTable(
        "mobilenetv3_ofa_latency_ms",
        "mobilenetv3",
        "HELP (Lee et al. 2021)",
        "export it as mobilenetv3_ofa_latency_ms.parquet",
        "latency:",
    ),
    KnownTable(
        "mobilenetv3_ofa_imagenet",
        "mobilenetv3",
        "DyNAS-T, memory-optimized OFA",
        "diffusionnag import ofa FILE.csv --out mobilenetv3_ofa_imagenet.parquet",
    ),
    KnownTable(
        "mobilenetv3_ofa_datasets",
        "mobilenetv3",
        "CNAS, EDANAS, MSuNAS archives",
        "export it as mobilenetv3_ofa_datasets.parquet",
        read=read_dataset_accuracies,
    ),
    KnownTable(
        "mnasnet_imagenet",
        "mnasnet",
        "Accel-NASBench (Ahmad et al. 2024)",
        "export it as mnasnet_imagenet.parquet",
    ),
    KnownTable(
        "transnas_micro",
        "transnas",
        "TransNAS-Bench-101 (Duan et al. 2021)",
        "export it as transnas_micro.parquet",
    ),
    KnownTable(
        "nasbench_macro",
        "nasbench_macro",
        "NAS-Bench-Macro (Su et al. 2021)",
        "export it as nasbench_macro.parquet",
        read=read_nasbench_macro,
    ),
    KnownTable(
        "hwgpt_s",
        "gpt2",
        "HW-GPT-Bench (Sukthanker et al. 2024)",
        "export it as hwgpt_s.parquet",
        read=read_hw_gpt_bench,
    ),
    KnownTable(
        NAS_BENCH_GRAPH,
        "nasbench_graph",
        "NAS-Bench-Graph (Qin et al. 2022)",
        "pip install 'diffusionnag[bench]'",
        read=lambda _: read_nas_bench_graph(),
        find=nas_bench_graph_folder,
    ),
)
"""Every table the library knows of, in the order in which `measured_table` looks."""


def known_tables(space_name: str) -> dict[str, Callable[[], Table]]:
    """Return the measured tables of a search space that are installed here, as name -> reader.

    A table is installed when its package is, or when its file lies in the folder named by the
    environment variable DIFFUSIONNAG_DATA. Nothing is read before a reader is called; a reader
    raises DiffusionNAGError for a damaged table.
    """
    return _readers(table for table in TABLES if table.space == space_name)


def _readers(tables: Iterable[KnownTable]) -> dict[str, Callable[[], Table]]:
    readers = {table.name: table.reader() for table in tables}
    return {name: read for name, read in readers.items() if read is not None}


def measured_table(space_name: str, property_name: str) -> Table | None:
    """Return the first installed table of the space with a column of that name, None without one.

    Example: `measured_table("nasbench201", "cifar10")`. Raises DiffusionNAGError for a damaged
    table.
    """
    # No measured column of a table has another prefix: such tables need not be read.
    possible = _readers(
        table
        for table in TABLES
        if table.space == space_name and property_name.startswith(table.prefix)
    )
    tables = (read() for read in possible.values())
    return next((table for table in tables if property_name in table.columns), None)


def split_table(text: str, space: SearchSpace) -> tuple[str, str]:
    """Return table and column of `TABLE:COLUMN`; both of them may contain a colon."""
    for name in known_tables(space.name):
        if text.startswith(f"{name}:"):
            return name, text[len(name) + 1 :]
    for place, character in enumerate(text):
        if character == ":" and Path(text[:place]).is_file():
            return text[:place], text[place + 1 :]
    name, _, column = text.partition(":")
    return name, column


def open_table(source: str, space: SearchSpace) -> Table:
    """Return an installed table of the space by its name, or the one in a file.

    Raises DiffusionNAGError for a table that is missing, saying how to get it, or damaged.
    """
    known = next(
        (table for table in TABLES if (table.name, table.space) == (source, space.name)), None
    )
    if known is None:
        return read_table(Path(source))
    read = known.reader()
    if read is None:
        folder = "" if known.how_to_get.startswith("pip") else f" into ${DATA_FOLDER_VARIABLE}"
        raise DiffusionNAGError(f"the table {source} is not installed; {known.how_to_get}{folder}")
    return read()
