"""Training as objective: a network is trained, and what is measured are its metrics."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from optuna.exceptions import TrialPruned
from optuna.trial import Trial, TrialState

from diffusionnag._devices import check_device
from diffusionnag._files import digest_name
from diffusionnag._seeds import check_seed
from diffusionnag.artifacts.training_state import remove_state
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks import (
    OwnFit,
    Progress,
    TaskData,
    TrainingSettings,
    kept_metrics,
    load_data,
    usual_settings,
)
from diffusionnag.search.objectives._kinds import TRAIN_SECONDS
from diffusionnag.search.trials import ARCHITECTURE, METRICS
from diffusionnag.spaces import Architecture, SearchSpace

OPTIONS: dict[str, Callable[[str], int | float | str | Path]] = {
    "test": str,
    "epochs": int,
    "batch_size": int,
    "learning_rate": float,
    "optimiser": str,
    "weight_decay": float,
    "gradient_clip": float,
    "auxiliary_weight": float,
    "drop_path": float,
    "target": str,
    "tokens": str,
    "context": int,
    "resolution": int,
    "width": float,
    "cells": int,
    "subset": int,
    "seed": int,
    "device": str,
    "out": Path,
}
"""What may stand behind the data, as options of `train`; `out` is the folder of all trainings."""


@dataclass(frozen=True)
class TrainingObjective:
    """Trains the network of an architecture, and returns its metrics and what that took.

    A trial is told the metric after each epoch, which is the step that its pruner judges by. Trained
    again in the same study, an architecture has the next seed, and a folder of its own. With a
    `folder` a training that was killed is resumed; without one it begins again.
    """

    space: SearchSpace
    data: TaskData | OwnFit
    settings: TrainingSettings
    folder: Path | None = None
    device: str = "cpu"

    def __call__(self, architecture: Architecture, trial: Trial | None = None) -> dict[str, float]:
        """Return the metrics on what is held out, and this process's `train_seconds`.

        Raises Optuna's TrialPruned where the trial's pruner ends the training; what it took then
        stands in the trial.
        """
        started = time.perf_counter()

        def measured(metrics: dict[str, float]) -> dict[str, float]:
            return metrics | {TRAIN_SECONDS: time.perf_counter() - started}

        told = 0

        def report(progress: Progress) -> None:
            nonlocal told
            last = progress.last
            if trial is None or last is None or last.epoch == told:
                return
            told = last.epoch
            # Optuna prunes trials of one objective only.
            if len(trial.study.directions) > 1:
                return
            trial.report(last.metrics[self.data.metric], last.epoch)
            if last.epoch < self.settings.epochs and trial.should_prune():
                trial.set_user_attr(METRICS, measured(last.metrics))
                raise TrialPruned

        repeats = 0 if trial is None else _measured_before(trial)
        settings = replace(self.settings, seed=self.settings.seed + repeats)
        with self._training_folder(architecture, repeats) as folder:
            try:
                metrics = kept_metrics(
                    self.space,
                    architecture,
                    self.data,
                    settings,
                    folder,
                    device=self.device,
                    report=report,
                )
            except TrialPruned:
                remove_state(folder)
                raise
        return measured(metrics)

    @contextmanager
    def _training_folder(self, architecture: Architecture, repeats: int) -> Iterator[Path]:
        if self.folder is None:
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder)
        else:
            name = digest_name(self.space.format(architecture))
            yield self.folder / (f"{name}-{repeats + 1}" if repeats else name)


def _measured_before(trial: Trial) -> int:
    """Return how many trials of the study have measured the same architecture before this one."""
    text = trial.user_attrs.get(ARCHITECTURE)
    others = trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sum(
        text is not None and other.user_attrs.get(ARCHITECTURE) == text
        for other in others
        if other.number < trial.number
    )


def read_training(text: str, space: SearchSpace) -> TrainingObjective:
    """Return the objective of `DATA[,OPTION=VALUE]...`, its data read.

    Raises DiffusionNAGError for an unknown option or an invalid value, and as `load_data` does.
    """
    source, *pairs = re.split(r",(?=\w+=)", text)
    given = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in OPTIONS:
            raise DiffusionNAGError(f"training has no option {name!r}; known: {', '.join(OPTIONS)}")
        try:
            given[name] = OPTIONS[name](value)
        except ValueError as error:
            raise DiffusionNAGError(f"the value in {pair!r} is no number") from error
    folder, device = given.pop("out", None), check_device(given.pop("device", "cpu"))
    chosen = ("test", "target", "tokens", "context", "resolution", "width", "cells", "subset")
    of_data = {name: given.pop(name) for name in chosen if name in given}
    TrainingSettings(**given).check()
    data = load_data(source, space, seed=check_seed(given.get("seed", 0)), **of_data)
    if isinstance(data, OwnFit):
        data.check_device(device)
    return TrainingObjective(space, data, usual_settings(data.task, **given), folder, device)
