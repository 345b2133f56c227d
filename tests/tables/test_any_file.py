"""Whatever bytes a file holds: readers give what is in it, or one line that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from diffusionnag.artifacts.json_lines import read_records
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images import read_images, read_pixels
from diffusionnag.tables import read_table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(["arch", "architecture", "acc", "properties", "true", "trial", "valid"])
ROWS = st.lists(st.dictionaries(NAMES | st.text(max_size=3), JSON, max_size=4) | JSON, max_size=5)
CELLS = st.sampled_from(["arch", "acc", "1", "93%", "nan", '"', "\n", ",", "\0", "é", "a|b"])
BINARY = st.binary(max_size=200)
CONTENTS = {
    ".jsonl": BINARY | ROWS.map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
    ".csv": BINARY
    | st.lists(CELLS, max_size=40)
    .map(lambda cells: "arch,acc\n" + ",".join(cells))
    .map(str.encode),
    ".parquet": BINARY | BINARY.map(lambda inner: b"PAR1" + inner + b"PAR1"),
}
SUFFIXES = pytest.mark.parametrize("suffix", CONTENTS)
FEW = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=2_000)


def read_all(path: Path) -> None:
    """Read a file as everything that it might be."""
    readers: tuple[Callable[[Path], object], ...] = (
        read_table,
        read_records,
        lambda path: read_pixels(read_images(path), 4),
    )
    for reader in readers:
        try:
            reader(path)
        except DiffusionNAGError as error:
            refusal = str(error)
        else:
            continue
        assert "\n" not in refusal
        assert len(refusal.replace(str(path), "")) < 1_000


def read_contents(folder: Path, suffix: str, data: st.DataObject) -> None:
    path = folder / f"any{suffix}"
    path.write_bytes(data.draw(CONTENTS[suffix]))
    read_all(path)


def read_column(folder: Path, data: st.DataObject) -> None:
    """Read Parquet files whose columns are of any type that values have by themselves."""
    columns = {}
    for name in ("arch", "acc", "image", "label"):
        kinds = (st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), st.text(max_size=4))
        kind = data.draw(st.sampled_from([*kinds, st.binary(max_size=9), st.lists(st.floats())]))
        columns[name] = pa.array(data.draw(st.lists(st.none() | kind, min_size=3, max_size=3)))
    parquet.write_table(pa.table(columns), folder / "any.parquet")
    read_all(folder / "any.parquet")


@SUFFIXES
@FEW
@given(st.data())
def test_any_file_is_read_or_refused(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    read_contents(tmp_path, suffix, data)


@FEW
@given(st.data())
def test_any_column_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    read_column(tmp_path, data)


@pytest.mark.many
@SUFFIXES
@MANY
@given(st.data())
def test_many_files_are_read_or_refused(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    read_contents(tmp_path, suffix, data)


@pytest.mark.many
@MANY
@given(st.data())
def test_many_columns_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    read_column(tmp_path, data)
