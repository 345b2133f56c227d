"""What the tests share: the measured tables, and the command line as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from diffusionnag.benchmarks import DATA_FOLDER_VARIABLE

CONSOLE_SCRIPT = Path(sys.executable).with_name("diffusionnag")

RunCli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of measured tables; without it a test is skipped, but on CI it fails."""
    folder = os.environ.get(DATA_FOLDER_VARIABLE)
    if folder and Path(folder).is_dir():
        return Path(folder)
    wanted = (
        f"needs the measured tables: fetch them (README, section on data), and set "
        f"{DATA_FOLDER_VARIABLE} to their folder (it is {folder!r})"
    )
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(wanted)
    pytest.skip(wanted)


@pytest.fixture
def run_cli(tmp_path: Path) -> RunCli:
    """Run `diffusionnag ARGUMENTS...` as a process of its own in `tmp_path`; return its result."""

    def run(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        command = [str(CONSOLE_SCRIPT), *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run


def assert_fails(result: subprocess.CompletedProcess[str], code: int, message: str = "") -> None:
    """Assert that a command ended with one line on standard error, and with this exit code."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert message in lines[0]
