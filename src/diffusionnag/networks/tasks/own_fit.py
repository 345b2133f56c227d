"""The user's own training: a function that is given a module and a budget, and returns metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from diffusionnag._devices import seeded
from diffusionnag._user_code import import_user_code
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.tasks.lightning_fit import LightningFit
from diffusionnag.spaces import Task

PREFIX = "fit:"
LIGHTNING_PREFIX = "lightning:"
PREFIXES = (PREFIX, LIGHTNING_PREFIX)
METRIC = "accuracy"
"""What the value is called that networks are compared by, unless it is named."""


@dataclass(frozen=True, eq=False)
class OwnFit:
    """Trains a module with a function of the user's own, about whose data nothing is known.

    The function takes the module and the budget, the number of epochs asked for, trains in place and
    returns its metrics by name, or one number, which is then called `metric`.
    """

    task: Task
    reference: str
    function: Callable[[nn.Module, int], Any]
    metric: str = METRIC
    skipped: int = 0

    @property
    def preparation(self) -> dict[str, Any]:
        """What a user of the trained network must know: who trained it."""
        return {"fit": self.reference}

    @property
    def summary(self) -> str:
        """What it is trained by."""
        return f"the data of {self.reference}"

    @property
    def held_out_summary(self) -> str:
        """What the metrics are measured on."""
        return f"what {self.reference} measures on"

    def fingerprint(self) -> str:
        """Return a number in hexadecimal that tells this function from others, by its name."""
        return hashlib.sha256(self.reference.encode()).hexdigest()[:16]

    def check_device(self, device: str, devices: int = 1) -> None:
        """Raise DiffusionNAGError for any choice of devices, of which the function knows nothing."""
        if device != "cpu" or devices != 1:
            raise DiffusionNAGError(
                f"{self.reference} itself says where it trains; leave out `device` and `devices`"
            )

    def fit(self, network: nn.Module, budget: int, seed: int = 0) -> dict[str, float]:
        """Train a network; return its metrics. What torch draws meanwhile follows from `seed`.

        Raises DiffusionNAGError for a function that fails, and for metrics that are none.
        """
        try:
            with seeded(seed):
                returned = self.function(network, budget)
        except Exception as error:  # whatever the user's own code raises
            raise DiffusionNAGError(
                f"{self.reference} failed: {type(error).__name__}: {error}"
            ) from error
        values = returned if isinstance(returned, Mapping) else {self.metric: returned}
        try:
            metrics = {str(name): float(value) for name, value in values.items()}
        except (TypeError, ValueError) as error:
            raise DiffusionNAGError(
                f"{self.reference} returned {returned!r}; it should return numbers by name"
            ) from error
        if self.metric not in metrics:
            raise DiffusionNAGError(
                f"{self.reference} returned {', '.join(metrics) or 'nothing'}, and no {self.metric!r}; "
                f"name the value to go by: {self._prefix}{self.reference}:NAME"
            )
        return metrics

    @property
    def _prefix(self) -> str:
        return LIGHTNING_PREFIX if isinstance(self.function, LightningFit) else PREFIX


def read_own_fit(text: str, task: Task) -> OwnFit:
    """Return what `fit:FILE.py:FUNCTION[:METRIC]`, or `lightning:` in its place, names.

    Raises DiffusionNAGError if it is not there.
    """
    module, function, metric = split_own_fit(text)
    reference = f"{module}:{function}"
    fit = getattr(import_user_code(module, text), function, None)
    if not callable(fit):
        raise DiffusionNAGError(f"{module} defines no function {function!r}")
    if text.startswith(LIGHTNING_PREFIX):
        fit = LightningFit(fit)
    return OwnFit(task, reference, fit, metric)


def split_own_fit(text: str) -> tuple[str, str, str]:
    """Return the file, the function and the metric of `fit:FILE.py:FUNCTION[:METRIC]`."""
    prefix, _, reference = text.partition(":")
    file, end, rest = reference.rpartition(".py:")
    function, _, metric = rest.partition(":")
    if not end or not function:
        raise DiffusionNAGError(
            f"{text!r} should read like '{prefix}:train.py:fit', or {prefix}:train.py:fit:f1"
        )
    return file + ".py", function, metric or METRIC
