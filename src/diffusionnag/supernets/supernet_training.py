"""Training the weights that the networks of a space share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusionnag.networks import (
    EpochResult,
    Progress,
    TaskData,
    TrainingSettings,
    train_network,
    usual_settings,
)
from diffusionnag.spaces import SearchSpace, Task, task_as_json
from diffusionnag.supernets.inherited_metrics import evaluate_inherited
from diffusionnag.supernets.supernet import Supernet

PROBES = 4
"""Random architectures whose mean metrics are reported after each epoch, besides the extremes."""


def supernet_settings(task: Task, **given: Any) -> TrainingSettings:
    """Return the settings for shared weights, those `given` by name in place of the usual ones.

    On images they are a learning rate of 0.025 and batches of 64 (RSPS in Dong & Yang, "NAS-Bench-201",
    ICLR 2020); else, and for what is None, they are those of `usual_settings`.
    """
    usual = {"learning_rate": 0.025, "batch_size": 64} if task.inputs == "images" else {}
    return usual_settings(
        task, **usual | {name: value for name, value in given.items() if value is not None}
    )


def train_supernet(
    space: SearchSpace,
    data: TaskData,
    settings: TrainingSettings,
    folder: Path,
    *,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda progress: None,
) -> tuple[Supernet, list[EpochResult]]:
    """Return a supernet trained on data, and what each epoch brought.

    Its state is kept in `folder`, and resumed, as by `train_network`. The metrics of an epoch are
    means over the space's extremes and four random networks with their inherited weights.
    """
    supernet = Supernet(space, data.task, settings.seed)
    of_classes = hasattr(data.task, "classes")
    probes = [*supernet.extremes, *space.sample(PROBES, seed=0)]

    def loss(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Return the mean over all paths; the first, if it is the largest, teaches the others."""
        first, *others = outputs
        losses = [data.loss(first, targets, label_smoothing)]
        told = first.detach().softmax(1) if of_classes else targets
        losses += [data.loss(path, told, 0.0) for path in others]
        return torch.stack(losses).mean()

    def evaluate() -> dict[str, float]:
        measured = [evaluate_inherited(supernet, each, data) for each in probes]
        return {name: sum(each[name] for each in measured) / len(probes) for name in measured[0]}

    identity = {
        "supernet": space.name,
        "task": task_as_json(data.task),
        "data": data.fingerprint(),
    }
    history = train_network(
        supernet,
        data,
        settings,
        folder,
        identity=identity,
        device=device,
        loss=loss,
        evaluate=evaluate,
        report=report,
    )
    return supernet.eval(), history
