"""Training a network on data of any kind: resumable, repeatable, on CPU or GPUs by Lightning Fabric."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diffusionnag._devices import torch_defaults
from diffusionnag._memory import is_out_of_memory
from diffusionnag.artifacts.training_state import (
    STATE_FILE,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    under,
    write_state,
)
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks._history import EpochResult, write_history
from diffusionnag.networks.augmentation import Augmentation
from diffusionnag.networks.building import check_outputs, random_inputs
from diffusionnag.networks.tasks.task_data import TaskData
from diffusionnag.spaces import NodeClassification, Task, is_better

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 20.0
ALL_NODES = 2**31
"""A batch of all nodes of a graph: the network computes them all in any case."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained; the defaults are the recipe of NAS-Bench-201 (200 epochs there).

    Stochastic gradient descent with Nesterov momentum, or AdamW, and a learning rate that falls to 0
    along a cosine. Gradients longer than `gradient_clip`, all of them together, are shortened to it.
    Training ends early where `patience` epochs brought no better metric on what is
    held out; the augmentation is that of images. The `auxiliary_weight` of a second head's loss, and the
    share of dropped paths at the end of training, are for networks that have these (DARTS: 0.4, 0.2).
    Source: Dong & Yang, "NAS-Bench-201", ICLR 2020, table 1.
    """

    epochs: int = 200
    batch_size: int = 256
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_clip: float | None = None
    label_smoothing: float = 0.0
    auxiliary_weight: float = 0.0
    drop_path: float = 0.0
    patience: int | None = None
    optimiser: Literal["sgd", "adamw"] = "sgd"
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def check(self) -> None:
        """Raise DiffusionNAGError for settings that cannot be trained with."""
        positive = {"epochs": self.epochs, "batch size": self.batch_size}
        for name, value in (positive | {"patience": self.patience or 1}).items():
            if value < 1:
                raise DiffusionNAGError(f"the {name} is {value}; it must be at least 1")
        if not 0 < self.learning_rate < math.inf:
            raise DiffusionNAGError(f"the learning rate {self.learning_rate} is not above 0")
        clip = 1.0 if self.gradient_clip is None else self.gradient_clip
        if not 0 <= self.weight_decay < math.inf or not 0 < clip < math.inf:
            raise DiffusionNAGError("the weight decay is 0 or more, and a gradient clip above 0")
        if self.optimiser not in ("sgd", "adamw"):
            raise DiffusionNAGError(f"no optimiser {self.optimiser!r}; there are sgd and adamw")
        if not 0 <= self.label_smoothing < 1:
            raise DiffusionNAGError(f"label smoothing {self.label_smoothing} is not in [0, 1)")
        if not 0 <= self.auxiliary_weight < math.inf or not 0 <= self.drop_path < 1:
            raise DiffusionNAGError("the auxiliary weight is 0 or more, and drop path in [0, 1)")
        changes = self.augmentation
        mixup_fits = 0 <= changes.mixup < math.inf
        if changes.cutout < 0 or not mixup_fits or not 0 <= changes.randaugment <= 30:
            raise DiffusionNAGError("cutout and mixup are 0 or more, and RandAugment up to 30")


def usual_settings(task: Task, **given: Any) -> TrainingSettings:
    """Return the settings for a task, those `given` by name in place of the usual ones.

    Networks on images have the recipe of NAS-Bench-201; all others have AdamW with a learning rate of
    0.001, weight decay 0.01, batches of 64 and 20 epochs; those of graphs learn from all nodes at once,
    for 200 epochs, at 0.01. What is None counts as not given.
    """
    usual: dict[str, Any] = {}
    if isinstance(task, NodeClassification):
        usual = {
            "optimiser": "adamw",
            "learning_rate": 0.01,
            "weight_decay": 5e-4,
            "batch_size": ALL_NODES,
            "epochs": 200,
        }
    elif task.inputs != "images":
        usual = {
            "optimiser": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.01,
            "batch_size": 64,
            "epochs": 20,
        }
    return TrainingSettings(**usual | {n: value for n, value in given.items() if value is not None})


@dataclass(frozen=True)
class Progress:
    """What a training reports: the step reached of how many, and the last epoch's result."""

    step: int
    steps: int
    last: EpochResult | None


@torch_defaults()
def train_network(
    network: nn.Module,
    data: TaskData,
    settings: TrainingSettings,
    folder: Path,
    *,
    identity: dict[str, Any],
    device: str = "cpu",
    devices: int = 1,
    loss: Callable[[Tensor, Tensor, float], Tensor] | None = None,
    evaluate: Callable[[], dict[str, float]] | None = None,
    before_step: Callable[[float], None] = lambda done: None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> list[EpochResult]:
    """Train a network in place; return what each epoch brought.

    The state is kept in `folder` at each epoch's end, every 20 seconds, and on Ctrl-C, together with
    `history.csv` and TensorBoard's files in `tensorboard`; a later call resumes from it and, on a
    CPU, ends with the very weights of an uninterrupted one. `identity` holds what else, besides the
    settings, two runs must share. On a GPU numbers are bfloat16 where that is safe; several `devices`
    share each batch. `loss`, of outputs, targets and label smoothing, and `evaluate` stand in for
    those of the data; `before_step` is told the share of the training that is over, and may learn
    what is no parameter of the network. Raises DiffusionNAGError for a state of other settings, a
    loss that is no number, and outputs that are not what the task says.
    """
    from lightning_fabric import Fabric

    settings.check()
    kind, _, number = device.partition(":")
    if number and devices > 1:
        raise DiffusionNAGError(f"{device} is one device, not {devices}; ask for {kind}")
    precision = "bf16-mixed" if kind == "cuda" else "32-true"
    chosen = [int(number)] if number and kind != "cpu" else devices
    fabric = Fabric(accelerator=kind, devices=chosen, precision=precision)
    fabric.launch()
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise DiffusionNAGError(
            "the network has nothing to learn: no parameter that takes a gradient"
        )
    _check_runs(network, data.task)
    optimiser = _new_optimiser(network, settings)
    wrapped, wrapped_optimiser = fabric.setup(network, optimiser)
    per_epoch = math.ceil(data.count / settings.batch_size)
    steps = settings.epochs * per_epoch
    identity = {**identity, "settings": asdict(settings)}
    loss_of = loss or data.loss
    evaluate_all = evaluate or (lambda: data.evaluate(wrapped, fabric.device))
    state, step, history = folder / STATE_FILE, 0, list[EpochResult]()
    total = 0.0

    if state.exists():
        tensors, counters = read_state(state, identity)
        network.load_state_dict(under(tensors, "weights."))
        restore_optimiser(optimiser, tensors)
        step, total = counters["step"], counters["total"]
        history = [EpochResult(**epoch) for epoch in counters["history"]]
        logger.info("resuming from step %d of %d, found in %s", step, steps, state)
    fabric.barrier()

    def save() -> None:
        if fabric.is_global_zero:
            tensors = {f"weights.{name}": each for name, each in network.state_dict().items()}
            counters = {"step": step, "total": total, "history": list(map(asdict, history))}
            write_state(state, tensors | optimiser_tensors(optimiser), identity, counters)

    def take_step() -> float:
        torch.manual_seed(settings.seed * 1_000_003 + step)
        before_step(step / steps)
        chosen = _batch(step, per_epoch, data.count, settings)
        chosen = chosen[fabric.global_rank :: fabric.world_size]
        inputs, targets = data.batch(chosen, settings.augmentation, fabric.device)
        for group in optimiser.param_groups:
            group["lr"] = 0.5 * settings.learning_rate * (1 + math.cos(math.pi * step / steps))
        wrapped.train()
        mistake = loss_of(wrapped(inputs), targets, settings.label_smoothing)
        wrapped_optimiser.zero_grad()
        fabric.backward(mistake)
        if settings.gradient_clip is not None:
            fabric.clip_gradients(wrapped, wrapped_optimiser, max_norm=settings.gradient_clip)
        wrapped_optimiser.step()
        return float(mistake.detach())

    saved, between_steps = time.monotonic(), True
    with torch.random.fork_rng():
        try:
            while step < steps and not _is_over(history, settings.patience, data.task.metric):
                between_steps = False
                try:
                    taken = take_step()
                except Exception as error:  # whatever the user's own network raises
                    raise _failed(error, step, settings) from error
                if not math.isfinite(taken):
                    raise DiffusionNAGError(
                        f"the loss became {taken} at step {step}; lower the learning rate"
                    )
                step, total = step + 1, total + taken
                if step % per_epoch == 0:
                    wrapped.eval()
                    with torch.no_grad():
                        metrics = evaluate_all()
                    history.append(EpochResult(step // per_epoch, total / per_epoch, metrics))
                    total = 0.0
                    if fabric.is_global_zero:
                        write_history(folder, history)
                between_steps = True
                if step % per_epoch == 0 or time.monotonic() - saved > CHECKPOINT_SECONDS:
                    save()
                    saved = time.monotonic()
                report(Progress(step, steps, history[-1] if history else None))
        except KeyboardInterrupt:
            # In the middle of a step the weights may be half updated; the last state then stands.
            if between_steps and step > 0:
                save()
            raise
    return history


def _failed(error: Exception, step: int, settings: TrainingSettings) -> DiffusionNAGError:
    """Return the error for a step that could not be taken."""
    if is_out_of_memory(error):
        return DiffusionNAGError(
            f"not enough memory for a batch of {settings.batch_size} examples; lower the batch size"
        )
    return DiffusionNAGError(f"the network failed at step {step}: {type(error).__name__}: {error}")


def _new_optimiser(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        network.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=True,
    )


@torch.no_grad()
def _check_runs(network: nn.Module, task: Task) -> None:
    """Raise DiffusionNAGError unless a network takes and returns what its task says."""
    training = network.training
    try:
        outputs = network.eval()(random_inputs(task, 2, torch.Generator().manual_seed(0)))
    except Exception as error:  # whatever the user's own code raises
        raise DiffusionNAGError(
            f"the network cannot run on {task.example}: {type(error).__name__}: {error}"
        ) from error
    finally:
        network.train(training)
    check_outputs(outputs, task, 2)


def _batch(step: int, per_epoch: int, count: int, settings: TrainingSettings) -> Tensor:
    """Return which images make up the batch of a step: each image once an epoch, in random order."""
    epoch, place = divmod(step, per_epoch)
    rng = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
    order = torch.randperm(count, generator=rng)
    # Batches of nearly one size: the rest of a division might be a single image, without a spread.
    return order.tensor_split(per_epoch)[place]


def _is_over(history: list[EpochResult], patience: int | None, metric: str) -> bool:
    """Whether the last `patience` epochs brought nothing better than those before."""
    if patience is None or len(history) <= patience:
        return False
    values = [epoch.metrics[metric] for epoch in history]
    choose = min if is_better(metric, 0, 1) else max
    return not is_better(metric, choose(values[-patience:]), choose(values[:-patience]))
