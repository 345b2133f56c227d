"""Training networks on images: what is learnt, what is written, and what survives being killed."""

from __future__ import annotations

import io
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from commands import Command
from conftest import RunCli, assert_fails, wait_for
from PIL import Image
from safetensors.torch import load_file

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.images import Pixels
from diffusionnag.networks import (
    Augmentation,
    ImageData,
    Progress,
    TrainedNetwork,
    TrainingSettings,
    kept_metrics,
    train_architecture,
)
from diffusionnag.networks.augmentation import cutout, mixup, randaugment, random_crop, random_flip
from diffusionnag.spaces import ImageClassification

SPACE = get_search_space("nasbench201")
CELL = "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|skip_connect~2|"
ALL = Augmentation(cutout=2, mixup=0.2, randaugment=9)

KEEN = """
import diffusionnag.networks.training_loop as training
training.CHECKPOINT_SECONDS = 0.0
"""


def stripes(count: int, seed: int) -> Pixels:
    """Images of two classes, dark left halves and dark right ones, in noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    values = rng.integers(150, 256, (count, 3, 8, 8), dtype=np.uint8)
    values[labels == 0, :, :4] //= 3
    values[labels == 1, :, 4:] //= 3
    return Pixels(values, labels)


TRAINING, HELD_OUT = stripes(40, 0), stripes(20, 1)
DATA = ImageData.of_pixels(("a", "b"), TRAINING, HELD_OUT, 8)


def settings(epochs: int = 2, **others: object) -> TrainingSettings:
    return TrainingSettings(**({"epochs": epochs, "batch_size": 16} | others))  # type: ignore


def weights(network: TrainedNetwork) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in network.network.state_dict().values()])


def test_a_network_learns_and_is_kept(tmp_path: Path) -> None:
    trained, history = train_architecture(
        SPACE, SPACE.parse(CELL), DATA, settings(epochs=8), tmp_path
    )
    assert [record.epoch for record in history] == list(range(1, 9))
    assert history[-1].loss < 0.5 * history[0].loss
    assert history[-1].metrics["accuracy"] >= 90
    held_out = DATA.inputs(DATA.held_out, torch.arange(len(HELD_OUT.labels)), "cpu")
    shares = trained.network(held_out).softmax(1)[torch.arange(len(held_out)), HELD_OUT.labels]
    nats = -float(shares.log().mean())
    assert history[-1].metrics["cross_entropy"] == pytest.approx(nats, rel=1e-4)
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,accuracy,cross_entropy"
    assert len(rows) == 9
    assert list((tmp_path / "tensorboard").glob("events*"))

    trained.save(tmp_path / "model")
    loaded = TrainedNetwork.load(tmp_path / "model")
    assert (loaded.preparation["classes"], loaded.task) == (["a", "b"], DATA.task)
    assert loaded.architecture == trained.architecture
    x = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(loaded.network(x), trained.network(x), rtol=0, atol=0)


def test_stopped_at_any_step_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    chosen = settings(augmentation=ALL, label_smoothing=0.1)

    def stop(progress: Progress) -> None:
        if progress.step in (2, 3):
            raise KeyboardInterrupt

    cell = SPACE.parse(CELL)
    stopped, once = tmp_path / "stopped", tmp_path / "once"
    for folder in (stopped, once):
        folder.mkdir()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train_architecture(SPACE, cell, DATA, chosen, stopped, report=stop)
    steps: list[int] = []
    again, history = train_architecture(
        SPACE, cell, DATA, chosen, stopped, report=lambda progress: steps.append(progress.step)
    )
    undisturbed, expected = train_architecture(SPACE, cell, DATA, chosen, once)
    assert steps == [4, 5, 6]
    assert history == expected
    assert torch.equal(weights(again), weights(undisturbed))


def test_patience_ends_training_early(tmp_path: Path) -> None:
    # The held-out labels say nothing, so that accuracy does not improve for long.
    rng = np.random.default_rng(0)
    held_out = Pixels(HELD_OUT.values, rng.integers(0, 2, 20))
    data = ImageData.of_pixels(("a", "b"), TRAINING, held_out, 8)
    chosen = settings(epochs=30, patience=2)
    _, history = train_architecture(SPACE, SPACE.parse(CELL), data, chosen, tmp_path)
    assert 3 <= len(history) < 30
    best = max(range(len(history)), key=lambda place: history[place].metrics["accuracy"])
    assert len(history) == best + 3


def test_an_unfinished_training_of_other_settings_or_images_is_not_continued(
    tmp_path: Path,
) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    cell = SPACE.parse(CELL)
    with pytest.raises(KeyboardInterrupt):
        train_architecture(SPACE, cell, DATA, settings(), tmp_path, report=stop)
    other = ImageData.of_pixels(("a", "b"), stripes(40, 9), HELD_OUT, 8)
    for data, chosen in ((DATA, settings(seed=1)), (other, settings())):
        with pytest.raises(DiffusionNAGError, match="other settings"):
            train_architecture(SPACE, cell, data, chosen, tmp_path)
    state = tmp_path / STATE_FILE
    state.write_bytes(state.read_bytes()[:-1])
    with pytest.raises(DiffusionNAGError, match="is damaged"):
        train_architecture(SPACE, cell, DATA, settings(), tmp_path)


def test_a_finished_training_is_that_of_its_task(tmp_path: Path) -> None:
    cell, small = SPACE.parse(CELL), replace(DATA, task=ImageClassification(2, 8, cells=1))
    metrics = kept_metrics(SPACE, cell, small, settings(1), tmp_path)
    assert kept_metrics(SPACE, cell, small, settings(1), tmp_path) == metrics
    for task in (ImageClassification(2, 8, cells=2), ImageClassification(2, 8, 0.25, cells=1)):
        other = replace(small, task=task)
        with pytest.raises(DiffusionNAGError, match="a training of other settings"):
            kept_metrics(SPACE, cell, other, settings(1), tmp_path)


def test_a_loss_that_is_no_number_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match="lower the learning rate"):
        train_architecture(
            SPACE, SPACE.parse(CELL), DATA, settings(epochs=9, learning_rate=1e30), tmp_path
        )


# -- the command ----------------------------------------------------------------------------------


def write_images(path: Path) -> Path:
    """Write the stripes as a Parquet file, one image of which is broken."""

    def encode(image: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(buffer, "PNG")
        return buffer.getvalue()

    encoded = [encode(image) for image in TRAINING.values]
    table = {"image": [*encoded, b"broken"], "label": [*TRAINING.labels.tolist(), 0]}
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images.parquet")


def arguments(images: Path, out: str) -> list[str]:
    chosen = ["--resolution", "8", "--epochs", "4", "--batch-size", "12", "--cutout", "2"]
    return ["train", "nasbench201", CELL, "--data", str(images), "--out", out, *chosen]


def test_killed_it_goes_on_to_the_same_weights(
    images: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    process = Command(arguments(images, "killed"), tmp_path, KEEN)
    wait_for((tmp_path / "killed" / STATE_FILE).exists, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "config.json").exists()
    for out in ("killed", "undisturbed"):
        result = run_cli(*arguments(images, out))
        assert result.returncode == 0, result.stderr
        assert "skipped 1 images" in result.stderr
        assert "4 epochs" in result.stdout
        assert ("resuming from step" in result.stderr) == (out == "killed")
        assert not (tmp_path / out / STATE_FILE).exists()
    killed, undisturbed = (
        (tmp_path / out / "model.safetensors").read_bytes() for out in ("killed", "undisturbed")
    )
    assert killed == undisturbed
    assert_fails(run_cli(*arguments(images, "killed")), 2, "holds a trained model")


def test_clipped_gradients_move_the_weights_no_further(
    images: Path, run_main: RunCli, tmp_path: Path
) -> None:
    moved = {}
    for clip in ("1e-6", "1e6"):
        asked = ("--gradient-clip", clip, "--weight-decay", "0", "--learning-rate", "0.1")
        weights = []
        for epochs in ("1", "2"):
            out = f"{clip}-{epochs}"
            result = run_main(*arguments(images, out), *asked, "--epochs", epochs)
            assert result.returncode == 0, result.stderr
            weights.append(load_file(tmp_path / out / "model.safetensors"))
        # What batch normalisation counts moves in any case.
        moved[clip] = max(
            float((weights[0][name] - weights[1][name]).abs().max())
            for name in weights[0]
            if "running" not in name and "num_batches" not in name
        )
    assert moved["1e-6"] < 1e-4 < 1e-2 < moved["1e6"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--epochs", "0"), "epochs is 0"),
        (("--batch-size", "0"), "batch size is 0"),
        (("--learning-rate", "nan"), "learning rate"),
        (("--label-smoothing", "1"), "label smoothing"),
        (("--weight-decay", "-1"), "weight decay is 0 or more"),
        (("--gradient-clip", "0"), "gradient clip above 0"),
        (("--randaugment", "31"), "RandAugment"),
        (("--drop-path", "1"), "drop path in"),
        (("--resolution", "2"), "4 pixels at least"),
        (("--width", "1.2"), "of width 1.2"),
        (("--subset", "1"), "too few"),
        (("--device", "tpu"), "no device 'tpu'"),
        (("--data", "missing"), "no missing"),
        (("--seed", "-1"), "seed"),
    ],
)
def test_wrong_requests_are_one_line(
    images: Path, run_main: RunCli, options: tuple[str, ...], message: str
) -> None:
    assert_fails(run_main(*arguments(images, "out"), *options), 2, message)


# -- augmentation ---------------------------------------------------------------------------------


def test_crops_and_flips_keep_what_they_do_not_cut_off() -> None:
    torch.manual_seed(0)
    images = torch.rand(200, 3, 16, 16)
    flipped = random_flip(images)
    kept = (flipped == images).flatten(1).all(1)
    assert torch.equal(flipped[~kept], images[~kept].flip(3))
    assert 60 < kept.sum() < 140
    cropped = random_crop(images)
    assert cropped.shape == images.shape
    # A shift of up to two pixels leaves every image at one of 25 places.
    padded = torch.nn.functional.pad(images, (2,) * 4)
    for image, crop in zip(padded[:20], cropped[:20], strict=True):
        places = [image[:, y : y + 16, x : x + 16] for y in range(5) for x in range(5)]
        assert any(torch.equal(crop, place) for place in places)


def test_cutout_blanks_one_square() -> None:
    torch.manual_seed(0)
    black = (cutout(torch.ones(500, 3, 16, 16), 5) == 0).all(1)
    counts = black.sum((1, 2))
    assert counts.max() == 25
    assert counts.min() == 9
    rows = black.any(2).sum(1)
    assert torch.equal(rows * black.any(1).sum(1), counts)


def test_mixup_mixes_targets_as_it_mixes_images() -> None:
    torch.manual_seed(0)
    targets = torch.eye(8)
    images, mixed = mixup(targets[:, None, None, :].clone(), targets, 0.5)
    torch.testing.assert_close(images[:, 0, 0], mixed)
    torch.testing.assert_close(mixed.sum(1), torch.ones(8))


@pytest.mark.parametrize("strength", [1, 9, 30])
def test_randaugment_keeps_images_images(strength: int) -> None:
    torch.manual_seed(0)
    images = torch.rand(256, 3, 12, 12)
    changed = randaugment(images, strength)
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (changed != images).flatten(1).any(1).sum() > 200
