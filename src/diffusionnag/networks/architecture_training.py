"""Training an architecture for an image task: its network, or no more than the accuracy it reaches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusionnag._files import read_json, write_atomically
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks._history import EpochResult
from diffusionnag.networks.building import build_network
from diffusionnag.networks.image_task import ImageTask
from diffusionnag.networks.trained_network import TrainedNetwork
from diffusionnag.networks.training_loop import (
    Progress,
    TrainingSettings,
    normalisation,
    train_network,
)
from diffusionnag.spaces import Architecture, SearchSpace

ACCURACY_FILE = "accuracy.json"


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
        space,
        architecture,
        classes=len(task.classes),
        resolution=task.resolution,
        width=width,
        seed=settings.seed,
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

    The training is kept in `folder`, and a later call resumes it. Raises DiffusionNAGError
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
            kept = read_json(path)
            accuracy = float(kept.pop("accuracy"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DiffusionNAGError(f"{path} is damaged; delete it to train again") from error
        if kept != identity:
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
