"""Image classification as a task that architectures are trained for and compared on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusionnag._files import write_atomically
from diffusionnag._seeds import numpy_generator
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images import Pixels, read_images, read_pixels
from diffusionnag.networks.building import build_network, check_resolution
from diffusionnag.networks.history import EpochResult
from diffusionnag.networks.trained import TrainedNetwork
from diffusionnag.networks.training import (
    Progress,
    TrainingSettings,
    normalisation,
    train_network,
)
from diffusionnag.spaces import Architecture, SearchSpace

ACCURACY_FILE = "accuracy.json"
HELD_OUT_SHARE = 0.1
"""Of the images of a data set that comes without a part for testing."""


@dataclass(frozen=True, eq=False)
class ImageTask:
    """Images to train on and images to measure the accuracy on, of the same classes."""

    classes: tuple[str, ...]
    training: Pixels
    held_out: Pixels
    resolution: int

    @property
    def skipped(self) -> int:
        """How many images could not be read."""
        return self.training.skipped + self.held_out.skipped

    def fingerprint(self) -> str:
        """Return a number in hexadecimal that tells this task from others."""
        total = hashlib.sha256()
        for pixels in (self.training, self.held_out):
            total.update(pixels.values.data)
            total.update(pixels.labels.tobytes())
        return total.hexdigest()[:16]


def load_task(
    data: str | Path,
    space: SearchSpace,
    *,
    test: str | Path | None = None,
    resolution: int | None = None,
    subset: int | None = None,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> ImageTask:
    """Decode a data set, as `read_images` reads it, to the resolution of a space or to another one.

    The accuracy is measured on the images of `test`, or else on a tenth that is held out. `subset`
    limits how many images, drawn at random, are used of either. Raises DiffusionNAGError for what
    is no data set, one class only, and a test set of other classes.
    """
    size = check_resolution(space, resolution)
    images = read_images(data)
    if len(images.classes) < 2:
        raise DiffusionNAGError(f"{data} holds one class only; there is nothing to tell apart")
    rng = numpy_generator(seed)
    if subset is not None and subset < 2:
        raise DiffusionNAGError(f"{subset} images are too few to train on")
    order = rng.permutation(len(images))[:subset]
    if test is None:
        count = max(1, round(HELD_OUT_SHARE * len(order)))
        seen = read_pixels(images, size, order[count:], report)
        return ImageTask(
            images.classes, seen, read_pixels(images, size, order[:count], report), size
        )
    others = read_images(test)
    if others.classes != images.classes:
        raise DiffusionNAGError(f"{test} has other classes than {data}")
    seen = read_pixels(images, size, order, report)
    chosen = rng.permutation(len(others))[:subset]
    return ImageTask(images.classes, seen, read_pixels(others, size, chosen, report), size)


def train_architecture(
    space: SearchSpace,
    architecture: Architecture,
    task: ImageTask,
    settings: TrainingSettings,
    folder: Path,
    *,
    width: float = 1.0,
    **options: Any,
) -> tuple[TrainedNetwork, list[EpochResult]]:
    """Train an architecture for a task; return its network and what each epoch brought.

    `folder` and `options` are those of `train_network`.
    """
    network = build_network(
        space, architecture, classes=len(task.classes), width=width, seed=settings.seed
    )
    identity = {
        "search_space": space.name,
        "architecture": space.format(architecture),
        "width": width,
        "images": task.fingerprint(),
    }
    history = train_network(
        network, task.training, task.held_out, settings, folder, identity=identity, **options
    )
    mean, std = normalisation(task.training)
    trained = TrainedNetwork(
        space, architecture, network.eval(), task.classes, task.resolution, mean, std, width
    )
    return trained, history


def kept_accuracy(
    space: SearchSpace,
    architecture: Architecture,
    task: ImageTask,
    settings: TrainingSettings,
    folder: Path,
    *,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda progress: None,
) -> float:
    """Return the accuracy in % after training, or that of an earlier call that finished it.

    The training is kept in `folder`, and a later call goes on with it. Raises DiffusionNAGError
    where that holds a training of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ACCURACY_FILE
    identity = {
        "architecture": space.format(architecture),
        "images": task.fingerprint(),
        "settings": repr(settings),
    }
    if path.exists():
        try:
            found = json.loads(path.read_text())
            accuracy = float(found.pop("accuracy"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DiffusionNAGError(f"{path} is damaged; delete it to train again") from error
        if found != identity:
            raise DiffusionNAGError(
                f"{folder} holds a training of other settings; use the same or another folder"
            )
        return accuracy
    _, history = train_architecture(
        space, architecture, task, settings, folder, device=device, report=report
    )
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(identity | {"accuracy": history[-1].accuracy}))
    (folder / STATE_FILE).unlink(missing_ok=True)
    return history[-1].accuracy
