"""What is read from the pickles of a package is kept, and read again where they changed."""

from pathlib import Path

import numpy as np
import platformdirs
import pytest

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.tables import Table
from diffusionnag.tables._kept import read_or_recall

TABLE = Table("toy", ("a", "b"), {"accuracy": np.array([1.5, np.nan])})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache" / "diffusionnag"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: folder)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.anb"
    path.write_bytes(b"first")
    return path


class Reader:
    """Counts how often a table is read."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Table:
        self.times += 1
        return TABLE


def same(table: Table) -> bool:
    return (table.name, table.architectures, [*table.columns]) == (
        "toy",
        ("a", "b"),
        ["accuracy"],
    ) and (np.array_equal(table.column("accuracy"), TABLE.column("accuracy"), equal_nan=True))


def test_a_table_is_read_once_and_again_when_its_file_changes(cache: Path, file: Path) -> None:
    read = Reader()
    assert all(same(read_or_recall("toy", [file], read)) for _ in range(3))
    assert read.times == 1
    file.write_bytes(b"another")
    assert same(read_or_recall("toy", [file], read))
    assert read.times == 2
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("harm", [lambda data: data[:40], lambda data: b"x" * len(data)])
def test_a_damaged_copy_is_made_again(cache: Path, file: Path, harm: object) -> None:
    read = Reader()
    read_or_recall("toy", [file], read)
    (kept,) = cache.iterdir()
    kept.write_bytes(harm(kept.read_bytes()))  # type: ignore[operator]
    assert same(read_or_recall("toy", [file], read))
    assert same(read_or_recall("toy", [file], read))
    assert read.times == 2


def test_without_a_cache_folder_every_reading_is_of_the_file(
    tmp_path: Path, file: Path, cache: Path
) -> None:
    (tmp_path / "cache").write_text("in the way")
    read = Reader()
    assert all(same(read_or_recall("toy", [file], read)) for _ in range(2))
    assert read.times == 2


def test_a_file_that_is_gone_is_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(DiffusionNAGError, match=r"data\.anb: cannot be read"):
        read_or_recall("toy", [tmp_path / "data.anb"], Reader())
