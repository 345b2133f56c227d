"""What commands print as the next command runs as it is printed, its placeholders filled in."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli
from PIL import Image

HINT = re.compile(r"diffusionnag (?P<command>\S+ nasbench201 .*)")


def follow(run_main: RunCli, printed: str, *more: object, **filled: str) -> str:
    """Run the last command that was printed, and return what that prints on standard error."""
    hints = [match["command"] for match in map(HINT.search, printed.splitlines()) if match]
    assert hints, printed
    words = [filled.get(word, word) for word in shlex.split(hints[-1])]
    result = run_main(*words, *more)
    assert result.returncode == 0, result.stderr
    return result.stderr


def run(run_main: RunCli, command: str) -> str:
    result = run_main(*shlex.split(command))
    assert result.returncode == 0, result.stderr
    return result.stderr


@pytest.mark.usefixtures("short_meta_training")
def test_from_a_study_to_architectures_for_other_images(run_main: RunCli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("ants", "bees"):
        (tmp_path / "my images" / name).mkdir(parents=True)
        pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "my images" / name / "1.png")
    (tmp_path / "measure.py").write_text(
        "def top1(architecture):\n    return 50.0 + sum(architecture.operations)\n"
    )
    kept = "--storage journal:kept.log"
    run(
        run_main,
        f"search nasbench201 --objective python:measure.py:top1 --searcher random --trials 60 {kept}",
    )
    written = run(run_main, f"triplets nasbench201 {kept} --images 'my images' --out 'a b.parquet'")
    learnt = follow(run_main, written, FOLDER="a predictor")
    follow(run_main, learnt, "-n", 3, IMAGES="my images")


def test_a_generator_that_is_usable_generates(
    run_main: RunCli, monkeypatch: pytest.MonkeyPatch, quick_training: None
) -> None:
    command = sys.modules["diffusionnag.cli.train_generator"]  # `cli` has a function of that name
    monkeypatch.setattr(command, "USEFUL_VALIDITY", 0.0)
    monkeypatch.setattr(command, "FEWEST_SAMPLES", 1)
    trained = run(run_main, "train-generator nasbench201 --steps 10 --out 'a generator'")
    follow(run_main, trained, "-n", 3)


def test_a_profile_is_a_limit(
    run_main: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    told = run(run_main, "profile nasbench201 -n 12 --repeats 1 --resolution 4")
    follow(run_main, told, "-n", 3, "--guide", "params")
