"""NAS-Bench-Macro's table: all networks of its space, trained on CIFAR-10 three times (Su et al. 2021)."""

from __future__ import annotations

from pathlib import Path

from diffusionnag.tables.table import Table, read_table

RENAMED = {"std": "cifar10_test_std", "flops": "macs"}
COUNTS = ("params", "flops")


def read_nasbench_macro(path: Path) -> Table:
    """Return the table of a file, its columns named and scaled as the library's properties are.

    `cifar10_test` is the mean accuracy of three trainings in %, `cifar10_test_std` their deviation;
    `params` and `macs` are in millions. Raises DiffusionNAGError for a damaged file.
    """
    raw = read_table(path)
    columns = {
        RENAMED.get(name, name): values / 1e6 if name in COUNTS else values
        for name, values in raw.columns.items()
    }
    return Table(raw.name, raw.architectures, columns)
