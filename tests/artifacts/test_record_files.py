"""Files of architectures by their ending: whatever one record knows has its column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffusionnag.artifacts import ArchitectureRecord, write_record_file
from diffusionnag.tables import read_table

RECORDS = [
    ArchitectureRecord("a", properties={"acc": 1.0, "params": 3}, std={"acc": 0.1}),
    ArchitectureRecord("b", properties={"acc": 2.0, "loss": 0.5}, true={"acc": 2.5}, trial=4),
]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_has_every_column_that_any_record_has(tmp_path: Path, suffix: str) -> None:
    write_record_file(tmp_path / f"known{suffix}", iter(RECORDS))
    table = read_table(tmp_path / f"known{suffix}")
    assert table.architectures == ("a", "b")
    nan = np.nan
    expected = {
        "acc": [1.0, 2.0],
        "acc std": [0.1, nan],
        "params": [3, nan],
        "acc true": [nan, 2.5],
        "loss": [nan, 0.5],
        "trial": [nan, 4],
    }
    assert set(table.columns) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(table.column(name), values)
