"""The table of GPT-2 shapes: columns named and scaled as properties are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffusionnag import get_search_space
from diffusionnag.tables import DATA_FOLDER_VARIABLE, Table, measured_table
from diffusionnag.tables.table import write_table

SPACE = get_search_space("gpt2")


def test_columns_have_the_names_and_units_of_properties(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = SPACE.sample(2, 0)
    exact = [SPACE.analytic_properties(shape) for shape in shapes]
    columns = {
        "perplexity": np.array([25.1, 40.6]),
        "accuracy": np.array([0.405, 0.358]),
        "params": np.array([properties["params"] * 1e6 for properties in exact]),
        "macs": np.array([properties["macs"] * 8e6 for properties in exact]),
        "latency_ms_cpu_meta": np.array([2620.0, 965.0]),
        "energy_wh_helix_cpu": np.array([2.0, 0.5]),
        "memory_mb_a100": np.array([837.0, 159.0]),
    }
    written = Table("hwgpt_s", tuple(map(SPACE.format, shapes)), columns)
    write_table(written, tmp_path / "hwgpt_s.parquet")
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(tmp_path))
    table = measured_table("gpt2", "latency:cpu_meta")
    assert table is not None
    others = ["latency:cpu_meta", "energy:helix_cpu", "memory:a100"]
    assert list(table.columns) == ["perplexity", "accuracy", "params", "macs", *others]
    np.testing.assert_allclose(table.columns["accuracy"], [40.5, 35.8])
    for name in ("params", "macs"):
        found = table.lookup(name, list(map(SPACE.format, shapes)))
        np.testing.assert_array_equal(found, [properties[name] for properties in exact])
    np.testing.assert_array_equal(table.columns["memory:a100"], [837.0, 159.0])
