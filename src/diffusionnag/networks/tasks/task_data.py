"""What the training loop asks of data, whatever kind it is of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from diffusionnag.networks.augmentation import Augmentation
from diffusionnag.spaces import Graph, Task

Predict = Callable[[Any], Tensor]
"""A network in evaluation mode: takes a batch of inputs, returns its outputs."""


class TaskData(Protocol):
    """Examples to train on, examples held out, and what counts as a mistake."""

    @property
    def task(self) -> Task:
        """What networks for these data take and return."""
        ...

    @property
    def metric(self) -> str:
        """The value by which networks are compared, by name."""
        ...

    @property
    def count(self) -> int:
        """How many examples there are to train on; an epoch sees each once."""
        ...

    @property
    def preparation(self) -> dict[str, Any]:
        """What a user of the trained network must know of its inputs and outputs, as JSON."""
        ...

    @property
    def summary(self) -> str:
        """How much of what there is to train on, in words."""
        ...

    @property
    def held_out_summary(self) -> str:
        """How much is held out, in words."""
        ...

    @property
    def skipped(self) -> int:
        """How many examples could not be read."""
        ...

    def batch(
        self, chosen: Tensor, augmentation: Augmentation, device: Any
    ) -> tuple[Tensor | Graph, Tensor]:
        """Return inputs and targets of the examples of these numbers, changed at random if asked."""
        ...

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Return the mean loss of a batch."""
        ...

    def evaluate(self, predict: Predict, device: Any) -> dict[str, float]:
        """Return the metrics on the held-out examples, by name, the task's own among them."""
        ...

    def fingerprint(self) -> str:
        """Return a number in hexadecimal that tells these data from others."""
        ...
