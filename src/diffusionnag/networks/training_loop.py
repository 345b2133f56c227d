"""Training a network on images: resumable, repeatable, on CPU or GPUs by Lightning Fabric."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusionnag._devices import torch_defaults
from diffusionnag.artifacts.training_state import (
    STATE_FILE,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    under,
    write_state,
)
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images import Pixels
from diffusionnag.networks._history import EpochResult, write_history
from diffusionnag.networks.augmentation import Augmentation, augment, mixup

if TYPE_CHECKING:
    from lightning_fabric import Fabric

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 20.0
EVALUATION_BATCH = 512


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained; the defaults are the recipe of NAS-Bench-201 (200 epochs there).

    Stochastic gradient descent with Nesterov momentum and a learning rate that falls to 0 along a
    cosine. Training ends early where `patience` epochs brought no better accuracy on the held-out
    images. Source: Dong & Yang, "NAS-Bench-201", ICLR 2020, table 1.
    """

    epochs: int = 200
    batch_size: int = 256
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    patience: int | None = None
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
        if not 0 <= self.label_smoothing < 1:
            raise DiffusionNAGError(f"label smoothing {self.label_smoothing} is not in [0, 1)")
        changes = self.augmentation
        mixup_fits = 0 <= changes.mixup < math.inf
        if changes.cutout < 0 or not mixup_fits or not 0 <= changes.randaugment <= 30:
            raise DiffusionNAGError("cutout and mixup are 0 or more, and RandAugment up to 30")


@dataclass(frozen=True)
class Progress:
    """What a training reports: the step reached of how many, and the last epoch's result."""

    step: int
    steps: int
    last: EpochResult | None


def normalisation(pixels: Pixels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each colour, on the scale from 0 to 1."""
    values = torch.from_numpy(pixels.values)
    colours = [values[:, number].double() / 255 for number in range(3)]
    mean = tuple(float(colour.mean()) for colour in colours)
    return mean, tuple(max(float(colour.std(correction=0)), 1e-3) for colour in colours)


@torch_defaults()
def train_network(
    network: nn.Module,
    training: Pixels,
    held_out: Pixels,
    settings: TrainingSettings,
    folder: Path,
    *,
    identity: dict[str, Any],
    device: str = "cpu",
    devices: int = 1,
    report: Callable[[Progress], None] = lambda progress: None,
) -> list[EpochResult]:
    """Train a network in place; return what each epoch brought.

    Images are standardised by the `normalisation` of the training images. The state is kept in
    `folder` at each epoch's end, every 20 seconds, and on Ctrl-C, together with `history.csv` and
    TensorBoard's files in `tensorboard`; a later call resumes from it and, on a CPU, ends with the
    very weights of an uninterrupted one. `identity` holds what else, besides the settings, two
    runs must share. On a GPU numbers are bfloat16 where that is safe; several `devices` share each
    batch. Raises DiffusionNAGError for a state of other settings, and a loss that is no number.
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
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=True,
    )
    wrapped, wrapped_optimiser = fabric.setup(network, optimiser)
    mean, std = (torch.tensor(each, device=fabric.device) for each in normalisation(training))
    classes = list(network.parameters())[-1].shape[0]
    per_epoch = math.ceil(len(training.labels) / settings.batch_size)
    steps = settings.epochs * per_epoch
    identity = {**identity, "settings": asdict(settings)}
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

    def prepare(values: Tensor) -> Tensor:
        return (values - mean[:, None, None]) / std[:, None, None]

    def take_step() -> float:
        torch.manual_seed(settings.seed * 1_000_003 + step)
        chosen = _batch(step, per_epoch, len(training.labels), settings)
        chosen = chosen[fabric.global_rank :: fabric.world_size]
        images = augment(_images(training, chosen, fabric), settings.augmentation)
        labels = torch.from_numpy(training.labels)[chosen].to(fabric.device)
        targets = F.one_hot(labels, classes).float()
        if settings.augmentation.mixup:
            images, targets = mixup(images, targets, settings.augmentation.mixup)
        for group in optimiser.param_groups:
            group["lr"] = 0.5 * settings.learning_rate * (1 + math.cos(math.pi * step / steps))
        wrapped.train()
        loss = F.cross_entropy(
            wrapped(prepare(images)), targets, label_smoothing=settings.label_smoothing
        )
        wrapped_optimiser.zero_grad()
        fabric.backward(loss)
        wrapped_optimiser.step()
        return float(loss.detach())

    saved, between_steps = time.monotonic(), True
    with torch.random.fork_rng():
        try:
            while step < steps and not _is_over(history, settings.patience):
                between_steps = False
                loss = take_step()
                if not math.isfinite(loss):
                    raise DiffusionNAGError(
                        f"the loss became {loss} at step {step}; lower the learning rate"
                    )
                step, total = step + 1, total + loss
                if step % per_epoch == 0:
                    accuracy = evaluate(wrapped, held_out, fabric, prepare)
                    epoch = step // per_epoch
                    history.append(EpochResult(epoch, total / per_epoch, accuracy))
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


@torch.no_grad()
def evaluate(
    network: nn.Module, pixels: Pixels, fabric: Fabric, prepare: Callable[[Tensor], Tensor]
) -> float:
    """Return the accuracy in % on images."""
    network.eval()
    right = 0
    for chosen in torch.arange(len(pixels.labels)).split(EVALUATION_BATCH):
        logits = network(prepare(_images(pixels, chosen, fabric)))
        labels = torch.from_numpy(pixels.labels)[chosen]
        right += int((logits.argmax(1).cpu() == labels).sum())
    return 100.0 * right / len(pixels.labels)


def _images(pixels: Pixels, chosen: Tensor, fabric: Fabric) -> Tensor:
    return torch.from_numpy(pixels.values)[chosen].to(fabric.device) / 255


def _batch(step: int, per_epoch: int, count: int, settings: TrainingSettings) -> Tensor:
    """Return which images make up the batch of a step: each image once an epoch, in random order."""
    epoch, place = divmod(step, per_epoch)
    rng = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
    order = torch.randperm(count, generator=rng)
    # Batches of nearly one size: the rest of a division might be a single image, without a spread.
    return order.tensor_split(per_epoch)[place]


def _is_over(history: list[EpochResult], patience: int | None) -> bool:
    """Whether the last `patience` epochs brought nothing better than those before."""
    if patience is None or len(history) <= patience:
        return False
    accuracies = [epoch.accuracy for epoch in history]
    return max(accuracies[-patience:]) <= max(accuracies[:-patience])
