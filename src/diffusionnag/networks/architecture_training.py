"""Training an architecture for a task: its network, or no more than the metrics it reaches."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from diffusionnag._files import read_json, write_atomically
from diffusionnag.artifacts.training_state import remove_state
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks._history import EpochResult
from diffusionnag.networks.building import build_network
from diffusionnag.networks.regularisation import Regularised, prepare_regularised
from diffusionnag.networks.tasks import OwnFit, TaskData
from diffusionnag.networks.trained_network import TrainedNetwork
from diffusionnag.networks.training_loop import Progress, TrainingSettings, train_network
from diffusionnag.spaces import Architecture, SearchSpace, task_as_json

METRICS_FILE = "metrics.json"


def train_architecture(
    space: SearchSpace,
    architecture: Architecture,
    data: TaskData | OwnFit,
    settings: TrainingSettings,
    folder: Path,
    *,
    network: nn.Module | None = None,
    **options: Any,
) -> tuple[TrainedNetwork, list[EpochResult]]:
    """Train an architecture on data; return its network and what each epoch brought.

    `network` is the architecture's, with the weights to begin with, or random ones if left out.
    `folder` and other `options` are those of `train_network`. What a user's own function trains has one
    epoch, the last. Raises DiffusionNAGError as `build_network`, `train_network` and `OwnFit.fit` do,
    and for a device where a user's own function trains.
    """
    if isinstance(data, OwnFit):
        data.check_device(options.get("device", "cpu"), options.get("devices", 1))
    tuned = network is not None
    network = network or build_network(space, architecture, task=data.task, seed=settings.seed)
    if isinstance(data, OwnFit):
        metrics = data.fit(network, settings.epochs, settings.seed)
        history = [EpochResult(settings.epochs, math.nan, metrics)]
    else:
        identity = _identity(space, architecture, data) | ({"tuned": True} if tuned else {})
        options |= prepare_regularised(network, data, settings)
        history = train_network(network, data, settings, folder, identity=identity, **options)
        if isinstance(network, Regularised):
            network.remove_auxiliary_head()
    trained = TrainedNetwork(space, architecture, network.eval(), data.task, data.preparation)
    return trained, history


def kept_metrics(
    space: SearchSpace,
    architecture: Architecture,
    data: TaskData | OwnFit,
    settings: TrainingSettings,
    folder: Path,
    *,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, float]:
    """Return the metrics after training by name, or those of an earlier call that finished it.

    The training is kept in `folder`, and a later call resumes it. Raises DiffusionNAGError
    where that holds a training for another task or of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / METRICS_FILE
    identity = _identity(space, architecture, data) | {"settings": repr(settings)}
    if path.exists():
        try:
            kept = read_json(path)
            metrics = {str(name): float(value) for name, value in kept.pop("metrics").items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DiffusionNAGError(f"{path} is damaged; delete it to train again") from error
        if kept != json.loads(json.dumps(identity)):
            raise DiffusionNAGError(
                f"{folder} holds a training of other settings; use the same or another folder"
            )
        return metrics
    _, history = train_architecture(
        space, architecture, data, settings, folder, device=device, report=report
    )
    metrics = history[-1].metrics
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(identity | {"metrics": metrics}))
    remove_state(folder)
    return metrics


def _identity(
    space: SearchSpace, architecture: Architecture, data: TaskData | OwnFit
) -> dict[str, Any]:
    """Return what two trainings share, besides their settings, if they are the same."""
    return {
        "search_space": space.name,
        "architecture": space.format(architecture),
        "task": task_as_json(data.task),
        "data": data.fingerprint(),
    }
