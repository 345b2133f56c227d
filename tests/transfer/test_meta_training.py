"""Meta-training that is killed, interrupted, or mistaken for another."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import Command
from conftest import last_saved, wait_for
from PIL import Image

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.transfer.set_encoder_training import Levels, train_set_encoder
from diffusionnag.transfer.triplets import write_triplets

# Takes few steps, where it does not matter how well it learns.
SHORT = """
import functools
from diffusionnag.transfer import meta_training
meta_training.meta_train = functools.partial(meta_training.meta_train, steps=60)
"""
# Keeps the state at every step instead of every 20 seconds.
KEEN = f"""{SHORT}
import diffusionnag.transfer.set_encoder_training as training
training.CHECKPOINT_SECONDS = 0.0
"""
FILES = {"README.md", "config.json", "model.safetensors", "architectures"}


def write_data(folder: Path) -> list[str]:
    """Write images of three classes and triplets of them; return a command without its folder."""
    rng = np.random.default_rng(0)
    for name in ("ants", "bees", "cats"):
        (folder / "images" / name).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(
            folder / "images" / name / "1.png"
        )
    space, path = get_search_space("nasbench201"), folder / "triplets.parquet"
    write_triplets(path, space, space.sample(60, 0), rng.uniform(40, 60, 60).tolist(), ["ants"])
    options = ["--triplets", str(path), "--images", str(folder / "images"), "--held-out", "0"]
    return ["meta-train", "nasbench201", *options, "--out"]


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command, killed, whole = write_data(tmp_path), tmp_path / "killed", tmp_path / "whole"
    for _ in range(2):
        before = last_saved(killed)
        process = Command([*command, str(killed)], tmp_path, KEEN)
        wait_for(lambda before=before: last_saved(killed) > before, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (killed / "config.json").exists()
    for folder in (killed, whole):
        done = Command([*command, str(folder)], tmp_path, SHORT).result()
        assert done.returncode == 0, done.stderr
    weights = [(folder / "model.safetensors").read_bytes() for folder in (killed, whole)]
    assert weights[0] == weights[1]
    assert {path.name for path in killed.iterdir()} == FILES


def train_on(
    state: Path, level: float = 0.0, stop_at: int | None = None
) -> dict[str, torch.Tensor]:
    """Train for 20 steps on data sets of one class each, or less; return the weights."""
    classes = [(number % 4,) for number in range(12)]
    codes = torch.arange(8.0).view(4, 1, 2)
    there = torch.ones(4, 1, dtype=torch.bool)
    data = Levels(codes, there, classes, torch.linspace(level, 1, 12))

    def stop(step: int, _: int) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    return train_set_encoder(data, steps=20, seed=0, state=state, report=stop).state_dict()


def test_interrupted_it_goes_on_but_not_with_other_data(tmp_path: Path) -> None:
    state, other = tmp_path / STATE_FILE, tmp_path / "other" / STATE_FILE
    other.parent.mkdir()
    with pytest.raises(KeyboardInterrupt):
        train_on(state, stop_at=7)
    with pytest.raises(DiffusionNAGError, match="unfinished training with other settings"):
        train_on(state, level=0.5)
    resumed, whole = train_on(state), train_on(other)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())
