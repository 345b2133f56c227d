"""Where studies are kept: what a full disk leaves behind, and what is called a storage."""

from __future__ import annotations

import logging
from pathlib import Path

import optuna
import pytest
from commands import Command
from conftest import RunCli

from diffusionnag import DiffusionNAGError
from diffusionnag.search import open_storage

COUNT = "def count(architecture):\n    return float(sum(architecture.operations))\n"
OPTIONS = ("--objective", "python:count.py:count", "--searcher", "random")

FULL_DISK = """
import resource
from pathlib import Path
size = Path("search.log").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + ROOM, resource.RLIM_INFINITY))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "count.py").write_text(COUNT)
    return tmp_path


def complete(path: Path) -> dict[int, float | None]:
    """Return the values of a journal's study by the number of the trial."""
    storage = open_storage(f"journal:{path}", lambda study, trial: None)
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    return {trial.number: trial.value for trial in trials if trial.value is not None}


@pytest.mark.parametrize("room", [700, 1_000, 1_350])
def test_a_full_disk_loses_nothing_that_is_finished(
    run_main: RunCli, folder: Path, room: int
) -> None:
    options = (*OPTIONS, "--storage", "search.log", "--trials")
    assert run_main("search", "nasbench201", *options, 5).returncode == 0
    before = complete(folder / "search.log")
    command = ["search", "nasbench201", *options, "40"]
    result = Command(command, folder, FULL_DISK.replace("ROOM", str(room))).result()
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].endswith("cannot be used: File too large")
    again = run_main("search", "nasbench201", *options, 12)
    assert again.returncode == 0, again.stderr
    after = complete(folder / "search.log")
    assert len(after) == 12
    assert after.items() >= before.items()


def journal(folder: Path) -> tuple[Path, list[bytes]]:
    path = folder / "study.log"
    storage = open_storage(f"journal:{path}", lambda study, trial: None)
    study = optuna.create_study(study_name="kept", storage=storage)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), 4)
    return path, path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("torn", [b"{", b'{"op_code":6,"worker_id":"', b'{"op_code":6'])
@pytest.mark.parametrize("appended", [False, True])
def test_half_a_record_is_set_aside_and_told(
    tmp_path: Path, torn: bytes, appended: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path, lines = journal(tmp_path)
    before = complete(path)
    # What another process appends next goes on in the same line.
    middle = [torn + lines[-1]] if appended else [lines[-1], torn]
    path.write_bytes(b"".join([*lines[:-1], *middle]))
    with caplog.at_level(logging.WARNING, "diffusionnag"):
        assert complete(path) == before
    assert "half a record" in caplog.text
    assert path.read_bytes() == b"".join(lines)
    assert (tmp_path / "study.log.torn").read_bytes() == torn + b"\n"


def test_a_record_without_the_end_of_its_line_is_kept(tmp_path: Path) -> None:
    path, lines = journal(tmp_path)
    before = complete(path)
    path.write_bytes(b"".join(lines).rstrip(b"\n"))
    assert complete(path) == before
    assert path.read_bytes() == b"".join(lines)
    assert not (tmp_path / "study.log.torn").exists()


def test_a_journal_that_is_damaged_elsewhere_is_left_as_it_is(tmp_path: Path) -> None:
    path, lines = journal(tmp_path)
    damaged = b"".join([*lines[:2], b"nonsense\n", *lines[2:]])
    path.write_bytes(damaged)
    with pytest.raises(DiffusionNAGError, match="or a damaged one"):
        open_storage(f"journal:{path}", lambda study, trial: None)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("workers", [1, 2])
def test_sqlite_in_memory_is_a_study_in_memory(
    run_main: RunCli, folder: Path, workers: int
) -> None:
    options = (*OPTIONS, "--storage", "sqlite://", "--trials", 4, "--workers", workers)
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    assert "found by measurement" in result.stdout
    assert {path.name for path in folder.iterdir()} <= {"count.py", "__pycache__"}
