"""Training as objective: a network is trained on images, and what is measured is its accuracy."""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from optuna.exceptions import TrialPruned
from optuna.trial import Trial

from diffusionnag._devices import check_device
from diffusionnag._seeds import check_seed
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks import (
    ImageTask,
    Progress,
    TrainingSettings,
    kept_accuracy,
    load_task,
)
from diffusionnag.search.objectives._kinds import ACCURACY, TRAIN_SECONDS
from diffusionnag.search.trials import METRICS
from diffusionnag.spaces import Architecture, SearchSpace

OPTIONS: dict[str, Callable[[str], int | float | str | Path]] = {
    "test": str,
    "epochs": int,
    "batch_size": int,
    "learning_rate": float,
    "resolution": int,
    "subset": int,
    "seed": int,
    "device": str,
    "out": Path,
}
"""What may stand behind the images, as options of `train`; `out` is the folder of all trainings."""


@dataclass(frozen=True)
class TrainingObjective:
    """Trains the network of an architecture, and returns its accuracy and what that took.

    A trial is told the accuracy after each epoch, which is the step that its pruner judges by. With
    a `folder` a training that was killed is resumed; without one it begins again.
    """

    space: SearchSpace
    task: ImageTask
    settings: TrainingSettings
    folder: Path | None = None
    device: str = "cpu"

    def __call__(self, architecture: Architecture, trial: Trial | None = None) -> dict[str, float]:
        """Return `accuracy` in % on held-out images, and this process's `train_seconds`.

        Raises Optuna's TrialPruned where the trial's pruner ends the training; what it took then
        stands in the trial.
        """
        started = time.perf_counter()

        def measured(accuracy: float) -> dict[str, float]:
            return {ACCURACY: accuracy, TRAIN_SECONDS: time.perf_counter() - started}

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
            trial.report(last.accuracy, last.epoch)
            if last.epoch < self.settings.epochs and trial.should_prune():
                trial.set_user_attr(METRICS, measured(last.accuracy))
                raise TrialPruned

        with self._training_folder(architecture) as folder:
            try:
                accuracy = kept_accuracy(
                    self.space,
                    architecture,
                    self.task,
                    self.settings,
                    folder,
                    device=self.device,
                    report=report,
                )
            except TrialPruned:
                (folder / STATE_FILE).unlink(missing_ok=True)
                raise
        return measured(accuracy)

    @contextmanager
    def _training_folder(self, architecture: Architecture) -> Iterator[Path]:
        if self.folder is None:
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder)
        else:
            text = self.space.format(architecture)
            yield self.folder / hashlib.sha256(text.encode()).hexdigest()[:12]


def read_training(text: str, space: SearchSpace) -> TrainingObjective:
    """Return the objective of `IMAGES[,OPTION=VALUE]...`, its images decoded.

    Raises DiffusionNAGError for an unknown option or an invalid value, and as `load_task` does.
    """
    images, *pairs = re.split(r",(?=\w+=)", text)
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
    chosen = ("test", "resolution", "subset")
    of_images = {name: given.pop(name) for name in chosen if name in given}
    settings = TrainingSettings(**given)
    settings.check()
    seed = check_seed(settings.seed)
    task = load_task(images, space, seed=seed, **of_images)
    return TrainingObjective(space, task, settings, folder, device)
