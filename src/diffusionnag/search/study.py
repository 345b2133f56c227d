"""A study: opened in its storage, resumed, and read."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import fail_stale_trials
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from diffusionnag.artifacts.run_records import RunRecord
from diffusionnag.errors import DiffusionNAGError, SpaceExhaustedError
from diffusionnag.search.architecture_sampler import ArchitectureSampler
from diffusionnag.search.objectives import MeasurementError, Problem, optuna_objective
from diffusionnag.search.storages import (
    open_existing_storage,
    open_storage,
    queue_again,
    queue_dead,
    queue_interrupted,
    unseen,
    unusable,
)
from diffusionnag.search.trials import (
    INTERRUPTED,
    METRICS,
    Direction,
    finished,
    recorded_architecture,
    without_interrupted,
)
from diffusionnag.spaces import Architecture, SearchSpace

STORAGE_ERRORS = (StorageInternalError, SQLAlchemyError, OSError)
"""What Optuna's storages raise where they fail."""
PAUSE = 0.2
"""Seconds to wait while other processes run the last trials."""
PATIENCE = 300
"""Pauses in a row after which is told what is waited for."""
SUBJECT = "diffusionnag"
"""The user attribute of a study that says which space and objective it is about."""
ORIGIN = "origin"
"""The user attribute of a study that holds the record of the run that last went on with it."""


logger = logging.getLogger(__name__)


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

    def run(
        self, report: Callable[[Study], None] = lambda study: None
    ) -> SpaceExhaustedError | None:
        """Run the trials that are left, as `run_study` does."""
        objective = optuna_objective(
            self.space, self.problem.measure, self.problem.objectives, self.problem.constraints
        )
        return run_study(self.study, self.sampler, objective, self.trials, report)


def open_study(
    sampler: ArchitectureSampler,
    objective: str,
    *,
    directions: Sequence[Direction] = ("maximize",),
    storage: str | None = None,
    name: str | None = None,
    pruner: BasePruner | None = None,
) -> Study:
    """Return the study of that name in a storage (see `open_storage`), new or resumed.

    Without a name it is called by its space and `objective`; without a pruner no trial is pruned.
    Trials of a process that was killed are queued again. Raises DiffusionNAGError for a URL that is
    none, for a study of another space, objective or directions, and for more objectives than the
    sampler can search for; EnvironmentFailureError for a storage that cannot be used.
    """
    space = sampler.search_space
    subject = f"{space.name} {objective}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study = optuna.create_study(
                storage=storage and open_storage(storage, partial(queue_again, space)),
                sampler=sampler,
                pruner=pruner or NopPruner(),
                study_name=name or subject,
                directions=list(directions),
                load_if_exists=True,
            )
        noted = study.user_attrs.get(SUBJECT)
        if noted is None and not study.get_trials(deepcopy=False):
            study.set_user_attr(SUBJECT, subject)
            noted = subject
    except STORAGE_ERRORS as error:
        raise unusable(storage, error) from error
    stated = [direction.name.lower() for direction in study.directions]
    if noted != subject or stated != list(directions):
        raise DiffusionNAGError(
            f"the study {study.study_name!r} exists, and is to {' and '.join(stated)} "
            f"{noted or 'something else'}; give this study another name"
        )
    sampler.check_study(study)
    return study


def note_origin(study: Study, record: RunRecord) -> None:
    """Note in a study what was asked for, and the names of its objectives.

    Raises EnvironmentFailureError where the storage fails.
    """
    try:
        study.set_user_attr(ORIGIN, asdict(record))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(record.goals))
    except STORAGE_ERRORS as error:
        raise unusable("of the study", error) from error


def read_study(storage: str, name: str | None = None) -> Study:
    """Return a study that is in a storage already; without a name the only one.

    Raises DiffusionNAGError where there is none of that name, or without a name several, and
    otherwise as `open_study`.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        opened = open_existing_storage(storage)
        names = optuna.get_all_study_names(opened)
        if name is None and len(names) == 1:
            name = names[0]
        if name not in names:
            wanted = "name the study" if name is None else f"no study {name!r}"
            raise DiffusionNAGError(
                f"{storage}: {wanted}; it has {', '.join(map(repr, names)) or 'none'}"
            )
        return optuna.load_study(study_name=name, storage=opened)
    except STORAGE_ERRORS as error:
        raise unusable(storage, error) from error


def measured_values(
    study: Study, space: SearchSpace, name: str | None = None
) -> tuple[list[Architecture], list[float]]:
    """Return the architectures that a study measured, and the value of that name of each.

    Without a name it is the value of the only objective. Raises DiffusionNAGError for a study of
    another space or of several objectives, and where nothing of that name was measured.
    """
    if name is None and len(study.directions) > 1:
        raise DiffusionNAGError("the study has several objectives; name one of its values")
    trials = measured_trials(study)
    known = {metric for trial in trials for metric in trial.user_attrs.get(METRICS, {})}
    if name is not None and name not in known:
        listed = ", ".join(sorted(known)) or "values without names"
        raise DiffusionNAGError(f"the study measured no {name!r}; it measured {listed}")

    def value(trial: FrozenTrial) -> float | None:
        return value_of(trial) if name is None else trial.user_attrs.get(METRICS, {}).get(name)

    pairs = [(recorded_architecture(space, trial), value(trial)) for trial in trials]
    measured = [
        (architecture, float(value))
        for architecture, value in pairs
        if architecture is not None and value is not None
    ]
    if not measured:
        raise DiffusionNAGError(
            f"the study {study.study_name!r} has measured no {space.name} architecture"
        )
    architectures, values = zip(*measured, strict=True)
    return list(architectures), list(values)


def run_study(
    study: Study,
    sampler: ArchitectureSampler,
    objective: Callable[[Trial], float | Sequence[float]],
    trials: int,
    report: Callable[[Study], None] = lambda study: None,
) -> SpaceExhaustedError | None:
    """Run trials until so many are finished, those of earlier runs and other processes included.

    `objective` is what Optuna calls. A trial whose measurement failed counts, one that was
    interrupted does not, and is run again. `report` is called after each. It ends earlier where the
    sampler has nothing left to propose, and returns the error that says so. Raises DiffusionNAGError
    for fewer than 1 trial or more than the space has.
    """
    space = sampler.search_space
    check_trials(space, trials)
    measure = _while_short_of(trials, objective)
    pauses = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            while count_finished(study) < trials:
                queue_dead(study, space)
                if _count_begun(study) < trials:
                    study.optimize(measure, n_trials=1, catch=(MeasurementError, NotNeededError))
                    pauses = 0
                else:
                    # Otherwise Optuna looks for signs of life only where it begins a trial.
                    fail_stale_trials(study)
                    pauses += 1
                    if pauses == PATIENCE:
                        _tell_unseen(study)
                    time.sleep(PAUSE)
                report(study)
    except SpaceExhaustedError as error:
        return error
    except KeyboardInterrupt:
        queue_interrupted(study, space)
        raise
    except STORAGE_ERRORS as error:
        raise unusable("of the study", error) from error
    except AssertionError as error:
        # Optuna (5.0) asserts that it can store how a trial ended, which a full disk prevents.
        if isinstance(error.__context__, STORAGE_ERRORS):
            raise unusable("of the study", error) from error
        raise
    except UnboundLocalError as error:
        # So Optuna (5.0) fails where it is interrupted just when it stores a value.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    return None


def _tell_unseen(study: Study) -> None:
    """Say which trials are waited for that may never end."""
    for trial, host, pid in unseen(study):
        logger.warning(
            "waiting for trial %d, which process %s on %s measures; if it died, run the same search "
            "on %s, which begins that trial again",
            trial,
            pid,
            host,
            host,
        )


class NotNeededError(Exception):
    """Other processes already run as many trials as were asked for."""


def _while_short_of(
    trials: int, objective: Callable[[Trial], float | Sequence[float]]
) -> Callable[[Trial], float | Sequence[float]]:
    """Return the objective, for the first `trials` only of those that processes begin at once.

    The others count as never begun. A storage numbers its trials one after the other, so that all
    processes agree on which are the first.
    """

    def measure(trial: Trial) -> float | Sequence[float]:
        others = without_interrupted(trial.study.get_trials(deepcopy=False))
        if sum(other.number < trial.number for other in others) >= trials:
            trial.set_user_attr(INTERRUPTED, True)
            raise NotNeededError
        return objective(trial)

    return measure


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


def _count_begun(study: Study) -> int:
    """Return how many trials are finished or running; those that wait to be run again are not."""
    trials = without_interrupted(study.get_trials(deepcopy=False))
    return sum(trial.state != TrialState.WAITING for trial in trials)


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
