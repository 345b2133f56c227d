"""Examples with a class or a number each, held in arrays: rows of features, or texts as tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from diffusionnag.networks.augmentation import Augmentation
from diffusionnag.networks.tasks.task_data import Predict
from diffusionnag.spaces import Task

EVALUATION_BATCH = 512


@dataclass(frozen=True, eq=False)
class Examples:
    """`inputs` N x *shape and `targets` N: int64 numbers of classes, or float32 numbers to be told."""

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, eq=False)
class SupervisedData:
    """Examples to train on and to hold out, of classes (targets int64) or of a number (float32).

    Numbers are told standardised; `scale` is their mean and deviation. `noun` says what an example
    is called, and `preparation` what a user of the network must know.
    """

    task: Task
    training: Examples
    held_out: Examples
    preparation: dict[str, Any]
    scale: tuple[float, float] = (0.0, 1.0)
    noun: str = field(default="rows")
    skipped: int = 0

    @property
    def metric(self) -> str:
        """The value by which networks are compared, by name."""
        return self.task.metric

    @property
    def count(self) -> int:
        """How many examples there are to train on."""
        return len(self.training)

    @property
    def of_classes(self) -> bool:
        """Whether examples have classes, rather than numbers."""
        return self.training.targets.dtype == np.int64

    @property
    def summary(self) -> str:
        """How much of what there is to train on, in words."""
        classes = f" of {self.task.outputs:,} classes" if self.of_classes else ""
        return f"{len(self.training):,} {self.noun}{classes}"

    @property
    def held_out_summary(self) -> str:
        """How much is held out, in words."""
        return f"{len(self.held_out):,} held-out {self.noun}"

    def inputs(self, examples: Examples, chosen: Tensor, device: Any) -> Tensor:
        """Return what the network is given of examples, `batch x *input_shape`."""
        values = torch.from_numpy(examples.inputs)[chosen]
        return (values.long() if self.task.vocabulary else values.float()).to(device)

    def batch(
        self, chosen: Tensor, augmentation: Augmentation, device: Any
    ) -> tuple[Tensor, Tensor]:
        """Return inputs and targets, `batch x classes` shares or `batch` standardised numbers."""
        return self.inputs(self.training, chosen, device), self.targets(chosen, device)

    def targets(self, chosen: Tensor, device: Any) -> Tensor:
        """Return the targets of examples to train on, by their numbers."""
        targets = torch.from_numpy(self.training.targets)[chosen].to(device)
        return F.one_hot(targets, self.task.outputs).float() if self.of_classes else targets

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Return the cross-entropy, or the squared error of standardised numbers."""
        if self.of_classes:
            return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
        return F.mse_loss(outputs[:, 0].float(), targets)

    def evaluate(self, predict: Predict, device: Any) -> dict[str, float]:
        """Return the `accuracy` in % and the `cross_entropy` in nats, the mean over examples.

        Of numbers `rmse`, in the target's unit, and the explained share `r2`.
        """
        if self.of_classes:
            right, nats = 0, 0.0
            for outputs, targets in self._predicted(predict, device):
                told = outputs.float().cpu()
                right += int((told.argmax(1) == targets).sum())
                nats += float(F.cross_entropy(told, targets, reduction="sum"))
            count = len(self.held_out)
            return {"accuracy": 100.0 * right / count, "cross_entropy": nats / count}
        errors = [
            (outputs[:, 0].float().cpu() - targets).double()
            for outputs, targets in self._predicted(predict, device)
        ]
        squared = float(torch.cat(errors).square().mean())
        spread = float(np.var(self.held_out.targets, dtype=np.float64))
        return {
            "rmse": squared**0.5 * self.scale[1],
            "r2": 1 - squared / spread if spread else float("nan"),
        }

    def _predicted(self, predict: Predict, device: Any) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in torch.arange(len(self.held_out)).split(EVALUATION_BATCH):
            targets = torch.from_numpy(self.held_out.targets)[chosen]
            yield predict(self.inputs(self.held_out, chosen, device)), targets

    def fingerprint(self) -> str:
        """Return a number in hexadecimal that tells these data from others."""
        total = hashlib.sha256()
        for examples in (self.training, self.held_out):
            total.update(np.ascontiguousarray(examples.inputs).data)
            total.update(examples.targets.tobytes())
        return total.hexdigest()[:16]


def standardised(targets: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return numbers as float32 of mean 0 and deviation 1 over those `seen`, and these two."""
    known = targets[seen].astype(np.float64)
    mean, deviation = float(known.mean()), float(known.std()) or 1.0
    return ((targets - mean) / deviation).astype(np.float32), (mean, deviation)
