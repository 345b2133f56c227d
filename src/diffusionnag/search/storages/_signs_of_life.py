"""Trials whose process died: found by who ran them, and queued again."""

from __future__ import annotations

import copy
import os
import socket
import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import JournalStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from diffusionnag.search.trials import (
    FAILURE,
    INTERRUPTED,
    given_parameters,
    parameter_names,
    queued_again,
)
from diffusionnag.spaces import SearchSpace

PROCESS = "process"
"""The system attribute of a trial that names the process which runs it."""
WORKER = "worker "
"""What stands before a worker's name in the study's system attribute that tells its processes."""
UNANNOUNCED = 5
"""Seconds after which a trial that names no process, and has nothing else, has none."""
DEATHS = 3
"""After so many processes died of measuring an architecture, it counts as failed."""


def this_process() -> str:
    """Return a name of this process, `HOST PID START`, that no other one ever has."""
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def is_dead(process: str) -> bool:
    """Return whether the process of that name ran on this machine and has ended.

    Of other machines, and where the system has no /proc, nothing is known: False.
    """
    _, pid, started = process.rsplit(" ", 2)
    return _can_be_seen(process) and _started(int(pid)) != started


def _can_be_seen(process: str) -> bool:
    """Return whether the system tells of the process of that name if it runs."""
    host = process.rsplit(" ", 2)[0]
    return host == socket.gethostname() and Path("/proc/self/stat").exists()


def _started(pid: int) -> str:
    """Return when a process started, in ticks of the system's clock, empty if it has ended."""
    try:
        # The program's name, in brackets, may hold spaces; behind it come state (field 3) and others.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    state, started = fields[0], fields[19]
    return "" if state in "ZX" else started


def announce(study: Study, trial: FrozenTrial) -> None:
    """Note in a trial that this process runs it."""
    study._storage.set_trial_system_attr(trial._trial_id, PROCESS, this_process())


def claim(study: Study, worker: str, driver: str) -> None:
    """Note that this process is now the worker of that name, which `driver` looks after.

    Processes that were it before are dead then, on whatever machine they ran.
    """
    before = study._storage.get_study_system_attrs(study._study_id).get(WORKER + worker)
    processes = before["processes"] if before else []
    known = {"driver": driver, "processes": [*processes, this_process()]}
    study._storage.set_study_system_attr(study._study_id, WORKER + worker, known)


def _lost_elsewhere(study: Study) -> set[str]:
    """Return the processes that cannot be seen, but were replaced, or whose driver died."""
    attributes = study._storage.get_study_system_attrs(study._study_id)
    workers = [known for name, known in attributes.items() if name.startswith(WORKER)]
    lost = [
        process
        for known in workers
        for process in known["processes"][: None if is_dead(known["driver"]) else -1]
    ]
    return {process for process in lost if not _can_be_seen(process)}


def unseen(study: Study) -> list[tuple[int, str, str]]:
    """Return the number, host and process of the running trials that may have died unnoticed.

    They are in a journal, which holds no signs of life, and run on other machines.
    """
    if not isinstance(study._storage, JournalStorage):
        return []
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    processes = {trial.number: trial.system_attrs.get(PROCESS) for trial in running}
    return [
        (number, *process.rsplit(" ", 2)[:2])
        for number, process in processes.items()
        if process is not None and not _can_be_seen(process)
    ]


def queue_dead(study: Study, space: SearchSpace) -> None:
    """Queue the running trials again whose processes died on this machine, or were replaced.

    Several processes may do so at once: each trial is queued by one of them.
    """
    lost = _lost_elsewhere(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        process = trial.system_attrs.get(PROCESS)
        if process is None and not _never_announced(trial):
            continue
        if process is not None and process not in lost and not is_dead(process):
            continue
        with suppress(UpdateFinishedTrialError):
            _note_death(study, trial)
            if study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL):
                queue_again(space, study, trial)


def _never_announced(trial: FrozenTrial) -> bool:
    """Return whether a trial's process ended between beginning it and saying so."""
    if trial.params or trial.user_attrs or trial.datetime_start is None:
        return False
    return (datetime.now() - trial.datetime_start).total_seconds() > UNANNOUNCED


def queue_interrupted(study: Study, space: SearchSpace) -> None:
    """Queue the trials of this process again that the user stopped; others queue their own."""
    trials = study.get_trials(deepcopy=False)
    again = queued_again(trials)
    for trial in trials:
        own = trial.system_attrs.get(PROCESS) == this_process()
        failed = trial.state == TrialState.FAIL and trial.number not in again
        if own and failed and trial.user_attrs.get(INTERRUPTED):
            queue_again(space, study, trial)


def _note_death(study: Study, trial: FrozenTrial) -> None:
    """Note that a trial counts as never begun, or, after too many deaths, why it failed."""
    if _deaths(trial) < DEATHS:
        study._storage.set_trial_user_attr(trial._trial_id, INTERRUPTED, True)
    else:
        reason = f"the process that measured it died, {DEATHS} times"
        study._storage.set_trial_user_attr(trial._trial_id, FAILURE, reason)


def _deaths(trial: FrozenTrial) -> int:
    return len(trial.system_attrs.get("retry_history", [])) + 1


def queue_again(space: SearchSpace, study: Study, trial: FrozenTrial) -> None:
    """Queue what a trial was to measure, unless its process died before that was settled."""
    if _deaths(trial) >= DEATHS or not given_parameters(trial) >= parameter_names(space):
        return
    again = copy.copy(trial)
    again.system_attrs = {
        name: value for name, value in trial.system_attrs.items() if name != PROCESS
    }
    again.user_attrs = {
        name: value for name, value in trial.user_attrs.items() if name != INTERRUPTED
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        RetryHeartbeatStaleTrialCallback()(study, again)
