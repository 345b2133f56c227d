"""The same seeds give the same architectures as since the generators were last trained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli
from PIL import Image

REFERENCE = json.loads(Path(__file__).with_name("reference_runs.json").read_text())
"""Of each command the SHA-256 of what it wrote: the architectures, one a line, in their order.

More than one where processors that round differently were seen to give others.
"""


def digest(path: Path) -> str:
    """Return the SHA-256 of the architectures in a file that a command wrote."""
    lines = path.read_text().splitlines()
    texts = [json.loads(line)["architecture"] for line in lines]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def draw_inputs(folder: Path) -> None:
    """Write what the commands read: images of two classes, and a function that measures."""
    rng = np.random.default_rng(7)
    for name in ("cats", "dogs"):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(5):
            pixels = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    (folder / "measure.py").write_text(
        "def convolutions(architecture):\n"
        "    return sum((place + 1) * (operation % 5)"
        " for place, operation in enumerate(architecture.operations))\n"
    )


@pytest.mark.parametrize("command", REFERENCE)
def test_same_seeds_give_the_same_architectures(
    command: str, run_main: RunCli, tmp_path: Path
) -> None:
    draw_inputs(tmp_path)
    result = run_main(*command.split(), "--out", "out.jsonl")
    assert result.returncode == 0, result.stderr
    assert digest(tmp_path / "out.jsonl") in REFERENCE[command]
