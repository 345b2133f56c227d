"""HW-GPT-Bench: what GPT-2 shapes are worth, and what they cost on each device."""

from __future__ import annotations

import re
from pathlib import Path

from diffusionnag.tables.table import Table, read_table

DEVICE_COLUMN = re.compile(r"(?P<what>latency|energy|memory)_(ms|wh|mb)_(?P<device>\w+)")
TEXTS = 8
"""Texts of 1,024 tokens that the benchmark's MACs are those of."""


def read_hw_gpt_bench(path: Path) -> Table:
    """Return the table of a file, its columns named and scaled as the library's properties are.

    `latency:a100` is in ms, `energy:a100` in Wh, `memory:a100` in MB; `accuracy`, of next tokens, in
    %; `params`, and `macs` for one text, in millions. Raises DiffusionNAGError for a damaged file.
    """
    raw = read_table(path)
    units = {"accuracy": 0.01, "params": 1e6, "macs": 1e6 * TEXTS}
    columns = {}
    for name, values in raw.columns.items():
        match = DEVICE_COLUMN.fullmatch(name)
        renamed = "{what}:{device}".format(**match.groupdict()) if match else name
        columns[renamed] = values / units.get(name, 1.0)
    return Table(raw.name, raw.architectures, columns)
