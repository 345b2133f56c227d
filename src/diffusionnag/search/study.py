"""A study: opened in its storage, gone on with, and read."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.search.objectives import MeasurementError, optuna_objective
from diffusionnag.search.problem import Problem
from diffusionnag.search.sampler import ArchitectureSampler
from diffusionnag.search.trials import FAILURE, Direction, finished
from diffusionnag.spaces import SearchSpace

HEARTBEAT = 10
"""Seconds between a running trial's signs of life; after two without one its process is dead."""
CREATIONS = 4
"""Attempts to open a storage."""
CREATION_PAUSE = 0.2
"""Seconds after the first of them; then twice, three times as long."""
SUBJECT = "diffusionnag"
"""The user attribute of a study that says which space and objective it is about."""


@dataclass(frozen=True)
class Search:
    """A search that can run: what is measured, what proposes, and the study of so many trials."""

    problem: Problem
    sampler: ArchitectureSampler
    study: Study
    trials: int

    @property
    def space(self) -> SearchSpace:
        """The space that is searched."""
        return self.sampler.search_space

    def run(self, report: Callable[[Study], None] = lambda study: None) -> None:
        """Run the trials that are left, as `run_study` does."""
        objective = optuna_objective(
            self.space, self.problem.measure, self.problem.objectives, self.problem.constraints
        )
        run_study(self.study, self.sampler, objective, self.trials, report)


def open_study(
    sampler: ArchitectureSampler,
    objective: str,
    *,
    directions: Sequence[Direction] = ("maximize",),
    storage: str | None = None,
    name: str | None = None,
) -> Study:
    """Return the study of that name in a storage (an SQLAlchemy URL), new or to be gone on with.

    Without a name it is called by its space and `objective`. Trials of a process that was killed
    are queued again. Raises DiffusionNAGError for a URL that is none, for a study of another space,
    objective or directions, and for more objectives than the sampler can search for;
    EnvironmentFailureError for a storage that cannot be used.
    """
    subject = f"{sampler.search_space.name} {objective}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study = optuna.create_study(
                storage=None if storage is None else _open_storage(storage),
                sampler=sampler,
                study_name=name or subject,
                directions=list(directions),
                load_if_exists=True,
            )
        found = study.user_attrs.get(SUBJECT)
        if found is None and not study.get_trials(deepcopy=False):
            study.set_user_attr(SUBJECT, subject)
            found = subject
    except (StorageInternalError, SQLAlchemyError) as error:
        raise _unusable(storage, error) from error
    stated = [one.name.lower() for one in study.directions]
    if found != subject or stated != list(directions):
        raise DiffusionNAGError(
            f"the study {study.study_name!r} exists, and is to {' and '.join(stated)} "
            f"{found or 'something else'}; give this one another name by --study"
        )
    sampler.check_study(study)
    return study


def _open_storage(url: str) -> BaseStorage:
    try:
        for attempt in range(1, CREATIONS):
            try:
                return _new_storage(url)
            except (IntegrityError, OperationalError):
                # Of processes that create the same database at once, all but one fail.
                time.sleep(CREATION_PAUSE * attempt)
        return _new_storage(url)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise DiffusionNAGError(
            f"{url!r} is no storage that can be opened ({_first_line(error)}); a file is "
            "sqlite:///search.db"
        ) from error
    except RuntimeError as error:
        raise DiffusionNAGError(f"{url}: {_first_line(error)}") from error


def _new_storage(url: str) -> BaseStorage:
    return RDBStorage(
        url,
        heartbeat_interval=HEARTBEAT,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
    )


def _unusable(storage: str | None, error: Exception) -> EnvironmentFailureError:
    reason = _first_line(error.__cause__ or error)
    return EnvironmentFailureError(f"the storage {storage} cannot be used: {reason}")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def run_study(
    study: Study,
    sampler: ArchitectureSampler,
    objective: Callable[[Trial], float | Sequence[float]],
    trials: int,
    report: Callable[[Study], None] = lambda study: None,
) -> None:
    """Run trials until so many are finished, those of earlier runs and other processes included.

    `objective` is what Optuna calls. A trial whose measurement failed counts, one that was
    interrupted does not. `report` is called after each. Raises DiffusionNAGError for fewer than 1
    trial or more than the space has.
    """
    space = sampler.search_space
    check_trials(space, trials)

    def after(study: Study, _: FrozenTrial) -> None:
        report(study)
        if count_finished(study) >= trials:
            study.stop()

    if count_finished(study) >= trials:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.optimize(objective, n_trials=None, callbacks=[after], catch=(MeasurementError,))
    except (StorageInternalError, SQLAlchemyError) as error:
        raise _unusable("of the study", error) from error


def check_trials(space: SearchSpace, trials: int) -> None:
    """Raise DiffusionNAGError for fewer than 1 trial, or more than the space has architectures."""
    if trials < 1:
        raise DiffusionNAGError(f"cannot search with {trials} trials; ask for at least 1")
    if space.is_enumerable and trials > space.size:
        raise DiffusionNAGError(
            f"{space.name} has {space.size} architectures; {trials} cannot be measured"
        )


def count_finished(study: Study) -> int:
    """Return how many trials of a study are finished, whether they gave a value or not."""
    return len(finished(study.get_trials(deepcopy=False)))


def measured_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that gave a value, in the order in which they were proposed."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def is_feasible(trial: FrozenTrial) -> bool:
    """Return whether a trial keeps its constraints."""
    return all(value <= 0 for value in trial.constraints.values())


def value_of(trial: FrozenTrial) -> float:
    """Return the value of a trial that has one."""
    assert trial.value is not None
    return trial.value


def last_failure(study: Study) -> str:
    """Return why the last trial that gave no value gave none."""
    lost = [
        trial
        for trial in finished(study.get_trials(deepcopy=False))
        if trial.state != TrialState.COMPLETE
    ]
    return str(lost[-1].user_attrs.get(FAILURE, "it was pruned")) if lost else ""
