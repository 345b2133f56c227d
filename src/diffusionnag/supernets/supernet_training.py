"""Training the weights that the networks of a space share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
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


def supernet_settings(
    space: SearchSpace, task: Task, *, searches: bool = False, **given: Any
) -> TrainingSettings:
    """Return the settings for shared weights, those `given` by name in place of the usual ones.

    On images they are a learning rate of 0.025 and batches of 64 (RSPS in Dong & Yang, "NAS-Bench-201",
    ICLR 2020), but where networks share a batch, and no algorithm `searches`, 0.1 and 256; else, and for
    what is None, they are those of `usual_settings`.
    """
    usual: dict[str, Any] = {}
    if task.inputs == "images":
        share = not space.extremes() and not searches
        usual = {"learning_rate": 0.1 if share else 0.025, "batch_size": 256 if share else 64}
    return usual_settings(
        task, **usual | {name: value for name, value in given.items() if value is not None}
    )


def check_shrinks(space: SearchSpace) -> None:
    """Raise DiffusionNAGError for a space whose networks are all of one size."""
    if not space.elastic_kinds:
        raise DiffusionNAGError(
            f"{space.name} cannot be trained progressively: it does not say what its networks have "
            "less of than the largest"
        )


def train_supernet(
    space: SearchSpace,
    data: TaskData,
    settings: TrainingSettings,
    folder: Path,
    *,
    progressive: bool = False,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda progress: None,
) -> tuple[Supernet, list[EpochResult]]:
    """Return a supernet trained on data, and what each epoch brought.

    A `progressive` training begins with the largest network alone; in equal shares of the steps one
    kind after another becomes elastic, in the order of the space's `elastic_kinds` (progressive
    shrinking, Cai et al., "Once-for-All", ICLR 2020). The state is kept in `folder`, and resumed, as
    by `train_network`. The metrics of an epoch are means over the space's extremes and four random
    networks with their inherited weights, all of them as large as they are trained by then. Raises
    DiffusionNAGError for a progressive training in a space where nothing shrinks.
    """
    if progressive:
        check_shrinks(space)
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
        measured = [evaluate_inherited(supernet, each, data) for each in supernet.enlarged(probes)]
        return {name: sum(each[name] for each in measured) / len(measured) for name in measured[0]}

    def shrink(done: float) -> None:
        kinds = space.elastic_kinds
        supernet.elastic = kinds[: int(done * (len(kinds) + 1))] if progressive else kinds

    identity = {
        "supernet": space.name,
        "task": task_as_json(data.task),
        "data": data.fingerprint(),
        **({"progressive": True} if progressive else {}),
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
        before_step=shrink,
        report=report,
    )
    return supernet.eval(), history
