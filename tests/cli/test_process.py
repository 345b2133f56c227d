"""Commands in processes with closed streams, poor encodings and strict warnings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
from conftest import CONSOLE_SCRIPT, assert_fails

from diffusionnag.cli import run

CELLS = "generate nasbench201 -n 6 --guide cifar10 --top 1"


def run_shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed: str, tmp_path: Path) -> None:
    done = run_shell(f"{CONSOLE_SCRIPT} spaces {closed}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("nasbench201" in done.stdout) == (closed == "2>&-")


def test_a_failure_with_closed_streams_has_its_exit_code(tmp_path: Path) -> None:
    assert run_shell(f"{CONSOLE_SCRIPT} info nowhere >&- 2>&-", tmp_path).returncode == 2
    assert_fails(run_shell(f"{CONSOLE_SCRIPT} info nowhere >&-", tmp_path), 2, "nowhere")


def test_characters_that_an_encoding_lacks_are_replaced(tmp_path: Path) -> None:
    done = run_shell(f"{CONSOLE_SCRIPT} {CELLS}", tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert " ? " in done.stdout, "the sign between a mean and its deviation"


def test_warnings_of_libraries_end_nothing(tmp_path: Path) -> None:
    (tmp_path / "size.py").write_text("def size(architecture):\n    return 1.0\n")
    search = "search nasbench201 --objective python:size.py:size --searcher random --trials 2"
    done = run_shell(
        f"{CONSOLE_SCRIPT} {search} --storage sqlite:///study.db --workers 2",
        tmp_path,
        PYTHONWARNINGS="error",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("more than one element refers to a single memory location"), False),
    ],
)
def test_exhausted_memory_alone_is_told_as_such(
    error: Exception,
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = typer.Typer()

    @app.command()
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["diffusionnag", "anything"])
    with pytest.raises(SystemExit if told else type(error)):
        run(app)
    assert ("not enough memory" in capsys.readouterr().err) == told
