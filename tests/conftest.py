"""What the tests share: the measured tables, and the command line as a real process."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from commands import SECONDS, Command
from hypothesis import settings

from diffusionnag import SearchSpace
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.cli import main
from diffusionnag.diffusion import _broken, recipes
from diffusionnag.search import DiffusionNAGSampler
from diffusionnag.search.proposers import _proposer
from diffusionnag.tables import DATA_FOLDER_VARIABLE
from diffusionnag.transfer import meta_training

# One thread for each process: threads of several that wait for each other cost more than they give.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# No test may fail because a machine is slow.
settings.register_profile("diffusionnag", deadline=None)
settings.load_profile("diffusionnag")

# Studies wait for the disk at each of their some twenty commits a trial; memory does not keep them waiting.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

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

    def run(*arguments: object, timeout: float = SECONDS) -> subprocess.CompletedProcess[str]:
        return Command([*map(str, arguments)], tmp_path).result(timeout)

    return run


@pytest.fixture
def run_script(tmp_path: Path) -> RunCli:
    """Do the same with the installed script in a new interpreter: where its imports matter."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(CONSOLE_SCRIPT), *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    return run


@pytest.fixture
def run_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunCli:
    """Do the same inside this process: quick enough for the many ways in which a command fails."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = ["diffusionnag", *map(str, arguments)]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(command, code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session", autouse=True)
def operators_once() -> Iterator[None]:
    """Let torch compile the operators of ONNX once, not again for every network that is exported."""
    usual = torch.onnx.export

    def export(*arguments: object, **options: object) -> object:
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        fill = ONNXRegistry.from_torchlib
        if not hasattr(fill, "cache_info"):
            patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(functools.cache(fill)))
        return usual(*arguments, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", export)
        yield


@pytest.fixture
def few_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for broken architectures, and at quality, among few: both take longer than training."""
    monkeypatch.setattr(_broken, "EXCHANGED", 5_000)
    # `cli` has a function of that name.
    command = sys.modules["diffusionnag.cli.train_generator"]
    monkeypatch.setattr(command, "QUALITY_SAMPLES", 64)


@pytest.fixture
def quick_training(monkeypatch: pytest.MonkeyPatch, few_drawn: None) -> None:
    """Train generators in small batches besides."""
    usual = recipes.get_recipe

    def small(name: str, space: SearchSpace) -> recipes.Recipe:
        return dataclasses.replace(usual(name, space), batch_size=64)

    monkeypatch.setattr(recipes, "get_recipe", small)


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let experiments search in this process, as on a machine of one core: others import everything."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)


@pytest.fixture
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches choose among few candidates, where it does not matter how good the best is."""
    defaults = DiffusionNAGSampler.__init__.__kwdefaults__
    assert defaults is not None
    assert defaults["candidates"] > 16
    monkeypatch.setitem(defaults, "candidates", 16)
    assert _proposer.STEPS > 4
    monkeypatch.setattr(_proposer, "STEPS", 4)


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what makes packages, by the names they are imported by, look as if not installed."""
    find_spec = importlib.util.find_spec

    def hide(*packages: str) -> None:
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *rest: None if name in packages else find_spec(name, *rest),
        )

    return hide


def assert_fails(result: subprocess.CompletedProcess[str], code: int, message: str = "") -> None:
    """Assert that a command ended with one line on standard error, and with this exit code."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert message in lines[0]


def is_running(pid: int) -> bool:
    """Return whether a process is there and has not ended."""
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(happened: Callable[[], bool], process: Command) -> None:
    """Wait until something has happened while a process runs."""
    until = time.monotonic() + SECONDS
    while not happened():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)


def last_saved(folder: Path) -> int:
    """Return when the state of the training in a folder was last written, 0 before the first time."""
    path = folder / STATE_FILE
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.fixture
def short_meta_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `meta-train` take few steps, where it does not matter how well it learns."""
    few = functools.partial(meta_training.meta_train, steps=10)
    monkeypatch.setattr(meta_training, "meta_train", few)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: one that is begun last keeps a single core busy."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
