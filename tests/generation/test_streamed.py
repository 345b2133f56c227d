"""Samples in portions: the same file from any number of workers, and after any interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import RunCli, assert_fails

from diffusionnag.artifacts.json_lines import read_records
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.execution import ProcessExecutor
from diffusionnag.generation import Sampling, Stream, Strength, stream_samples
from diffusionnag.guidance import AnalyticProperty
from diffusionnag.spaces import get_search_space

PORTION, COUNT = 64, 200
STREAM = Stream("nasbench201", limits=["macs<=100M"], sampling=Sampling(steps=4, seed=7))
KILLED_AFTER_TWO = f"""
import os, signal
from pathlib import Path
from diffusionnag.generation import Sampling, Stream, stream_samples, streamed

streamed.PORTION = {PORTION}
stream = Stream("nasbench201", limits=["macs<=100M"], sampling=Sampling(steps=4, seed=7))

def report(drawn):
    if drawn >= {2 * PORTION}:
        os.kill(os.getpid(), signal.SIGKILL)

stream_samples(stream, {COUNT}, Path("cells.jsonl"), report=report)
"""


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffusionnag.generation.streamed.PORTION", PORTION)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What is written where nothing interrupts it."""
    path = tmp_path_factory.mktemp("whole") / "cells.jsonl"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("diffusionnag.generation.streamed.PORTION", PORTION)
        counted = stream_samples(STREAM, COUNT, path)
    records = read_records(path)
    assert len(records) == COUNT
    assert counted.drawn >= counted.valid > 0.9 * COUNT
    assert len({record.architecture for record in records}) > COUNT / 2
    assert max(record.properties["macs"] for record in records) <= 100
    return path.read_bytes()


def reported(path: Path, stream: Stream = STREAM, count: int = COUNT) -> list[int]:
    told: list[int] = []
    stream_samples(stream, count, path, report=told.append)
    return told


def test_any_number_of_workers_writes_the_same_file(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    stream_samples(STREAM, COUNT, path, executor=ProcessExecutor(2))
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_killed_it_goes_on_to_the_same_file(whole: bytes, tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_AFTER_TWO], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    path = tmp_path / "cells.jsonl"
    assert not path.exists()
    assert reported(path) == [2 * PORTION, 3 * PORTION, COUNT]
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def interrupted(path: Path) -> None:
    def stop(drawn: int) -> None:
        if drawn:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream_samples(STREAM, COUNT, path, report=stop)
    assert not path.exists()


@pytest.mark.parametrize(
    "other",
    [
        replace(STREAM, sampling=Sampling(steps=4, seed=8)),
        replace(STREAM, limits=["macs<=90M"]),
        replace(STREAM, guides=[AnalyticProperty(get_search_space("nasbench201"), "params")]),
        replace(STREAM, sampling=Sampling(steps=4, seed=7, strength=Strength())),
    ],
    ids=["seed", "limit", "object", "strength"],
)
def test_what_another_request_left_is_not_taken(other: Stream, tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    interrupted(path)
    assert reported(path, other)[0] == 0


def test_more_of_the_same_takes_what_is_there(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    interrupted(path)
    assert reported(path, count=COUNT - 1)[0] == PORTION
    assert path.read_bytes().splitlines() == whole.splitlines()[: COUNT - 1]


def test_a_damaged_list_of_what_was_asked_is_begun_anew(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    interrupted(path)
    (tmp_path / "cells.jsonl.portions" / "asked.json").write_text("{")
    assert reported(path)[0] == 0
    assert path.read_bytes() == whole


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "cells.jsonl.portions"
    theirs.mkdir()
    (theirs / "notes.txt").write_text("mine")
    with pytest.raises(DiffusionNAGError, match="is in the way"):
        stream_samples(STREAM, COUNT, tmp_path / "cells.jsonl")
    assert (theirs / "notes.txt").read_text() == "mine"


def test_a_full_disk_keeps_what_is_finished(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, records: Iterator[object]) -> None:
        raise EnvironmentFailureError("no space left")

    path = tmp_path / "cells.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr("diffusionnag.generation.streamed.write_record_file", full)
        with pytest.raises(EnvironmentFailureError):
            stream_samples(STREAM, COUNT, path)
    assert reported(path) == [COUNT]
    assert path.read_bytes() == whole


def test_what_cannot_be_had_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match=r"macs.* <= 1|nothing|below|smallest"):
        stream_samples(replace(STREAM, limits=["macs<=1"]), COUNT, tmp_path / "cells.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match="cannot generate 0 architectures"):
        stream_samples(STREAM, 0, tmp_path / "cells.jsonl")
    with pytest.raises(EnvironmentFailureError, match="no folder"):
        stream_samples(STREAM, COUNT, tmp_path / "missing" / "cells.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_several_workers_need_what_can_be_pickled(tmp_path: Path) -> None:
    class Own(AnalyticProperty):
        pass

    mine = replace(STREAM, guides=[Own(get_search_space("nasbench201"), "params")])
    with pytest.raises(DiffusionNAGError, match="must be picklable"):
        stream_samples(mine, COUNT, tmp_path / "cells.jsonl", executor=ProcessExecutor(2))
    assert list(tmp_path.iterdir()) == []


def test_the_command_takes_workers_for_samples_in_a_file(run_main: RunCli, tmp_path: Path) -> None:
    options = ("generate", "nasbench201", "-n", COUNT, "--limit", "macs<=100M")
    options += ("--steps", 4, "--seed", 7)
    for others in ((), ("--guide", "params", "--out", "a.jsonl"), ("--distinct", "--out", "a.csv")):
        refused = run_main(*options, "--workers", 2, *others)
        assert_fails(refused, 2, "--workers and --executor are for samples")
    result = run_main(*options, "--executor", "local", "--out", os.devnull)
    assert result.returncode == 0, result.stderr
    assert "rejected for a limit, of all drawn" in result.stdout
