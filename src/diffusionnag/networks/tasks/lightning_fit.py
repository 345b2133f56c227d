"""Modules that say themselves how they are trained, as Lightning's do; Lightning is not needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from diffusionnag.errors import DiffusionNAGError

STEPS = ("training_step", "validation_step", "configure_optimizers")
"""The methods of a LightningModule that are called."""


@dataclass(frozen=True)
class LightningFit:
    """Trains a module by its own `training_step`, and returns what its `validation_step` logs.

    `data` returns what has the methods `train_dataloader` and `val_dataloader`, or the two loaders.
    Values that are logged, or returned by name, are averaged over the batches. What a Trainer does
    besides (callbacks, several optimisers, other devices) is left out.
    """

    data: Callable[[], Any]

    def __call__(self, module: nn.Module, epochs: int) -> dict[str, float]:
        """Train for so many epochs, and return the metrics on the held-out batches."""
        missing = [name for name in STEPS if not hasattr(module, name)]
        if missing:
            raise DiffusionNAGError(f"the module has no method {missing[0]}, as Lightning's have")
        training, held_out = self._loaders()
        optimiser, scheduler = _optimiser(module.configure_optimizers())  # type: ignore[operator]
        logged: dict[str, list[float]] = {}
        # A LightningModule's own would ask for a Trainer.
        module.log = _logger(logged)  # type: ignore[assignment]
        module.log_dict = _logger_of_several(logged)  # type: ignore[assignment]
        for _ in range(epochs):
            module.train()
            for number, batch in enumerate(training):
                loss = module.training_step(batch, number)  # type: ignore[operator]
                loss = loss["loss"] if isinstance(loss, Mapping) else loss
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            if scheduler is not None:
                scheduler.step()
        logged.clear()
        module.eval()
        with torch.no_grad():
            for number, batch in enumerate(held_out):
                returned = module.validation_step(batch, number)  # type: ignore[operator]
                if isinstance(returned, Mapping):
                    _logger_of_several(logged)(returned)
        return {name: sum(values) / len(values) for name, values in logged.items()}

    def _loaders(self) -> tuple[Iterable[Any], Iterable[Any]]:
        data = self.data()
        if hasattr(data, "train_dataloader"):
            for method in ("prepare_data", "setup"):
                if hasattr(data, method):
                    getattr(data, method)(*(["fit"] if method == "setup" else []))
            return data.train_dataloader(), data.val_dataloader()
        training, held_out = data
        return training, held_out


def _optimiser(configured: Any) -> tuple[torch.optim.Optimizer, Any]:
    """Return the optimiser, and its scheduler or None, of what `configure_optimizers` returns."""
    if isinstance(configured, Mapping):
        scheduler = configured.get("lr_scheduler")
        return configured["optimizer"], _scheduler(scheduler)
    if isinstance(configured, tuple | list):
        optimisers, schedulers = configured if isinstance(configured, tuple) else (configured, [])
        if len(optimisers) != 1:
            raise DiffusionNAGError(
                f"the module has {len(optimisers)} optimisers; one is trained by"
            )
        return optimisers[0], _scheduler(schedulers[0] if schedulers else None)
    return configured, None


def _scheduler(configured: Any) -> Any:
    return configured["scheduler"] if isinstance(configured, Mapping) else configured


def _logger(logged: dict[str, list[float]]) -> Callable[..., None]:
    def log(name: str, value: Tensor | float, *_: Any, **__: Any) -> None:
        logged.setdefault(name, []).append(float(value))

    return log


def _logger_of_several(logged: dict[str, list[float]]) -> Callable[..., None]:
    log = _logger(logged)

    def log_dict(values: Mapping[str, Tensor | float], *_: Any, **__: Any) -> None:
        for name, value in values.items():
            log(name, value)

    return log_dict
