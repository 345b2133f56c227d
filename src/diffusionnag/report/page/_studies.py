"""Studies of `search` in a file, opened only to be read."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from diffusionnag.artifacts.json_lines import ArchitectureRecord
from diffusionnag.artifacts.model_cards import About
from diffusionnag.artifacts.run_records import RunRecord, parse_run_record
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report.page._architecture_set import ArchitectureSet
from diffusionnag.search.storages import open_existing_storage
from diffusionnag.search.study import ORIGIN, SUBJECT, is_feasible, measured_trials
from diffusionnag.search.trials import METRICS, recorded_text

SQLITE = (".db", ".sqlite", ".sqlite3")
"""Suffixes of SQLite files; any other is a journal."""


def read_studies(path: Path) -> list[ArchitectureSet]:
    """Return what each study in a file measured; those of other programs are left out.

    Raises DiffusionNAGError for a file that holds no studies, or cannot be opened.
    """
    if path.suffix in SQLITE and not _holds_studies(path):
        raise DiffusionNAGError("it holds no studies")
    text = f"sqlite:///{path}" if path.suffix in SQLITE else f"journal:{path}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            storage = open_existing_storage(text)
            names = optuna.get_all_study_names(storage)
            studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
        ours = [study for study in studies if SUBJECT in study.user_attrs]
        entries = [_measured(path, study) for study in ours if measured_trials(study)]
    except DiffusionNAGError:
        raise
    except Exception as error:  # Optuna fails with whatever it comes across in a damaged file
        raise DiffusionNAGError(f"its studies are damaged ({type(error).__name__})") from error
    if not entries:
        raise DiffusionNAGError("it holds no study with a finished trial")
    return entries


def _holds_studies(path: Path) -> bool:
    """Return whether an SQLite file has Optuna's tables, which opening it would else create."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            table = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'")
            return table.fetchone() is not None
    except sqlite3.Error:
        return False


def _measured(path: Path, study: Study) -> ArchitectureSet:
    trials = measured_trials(study)
    record = _record(study)
    names = list(record.goals)
    known = [_known(trial, names) for trial in trials if recorded_text(trial)]
    if not known:
        raise DiffusionNAGError("its trials name no architectures")
    title = path.name if study.study_name == study.user_attrs[SUBJECT] else study.study_name
    return ArchitectureSet.of(title, known, record)


def _record(study: Study) -> RunRecord:
    """Return what a study was asked for; of one that an earlier version wrote, what it tells."""
    if ORIGIN in study.user_attrs:
        return parse_run_record(study.user_attrs[ORIGIN])
    signs = [1 if direction == StudyDirection.MAXIMIZE else -1 for direction in study.directions]
    names = ["value"] if len(signs) == 1 else [f"value {at + 1}" for at in range(len(signs))]
    space, _, subject = str(study.user_attrs[SUBJECT]).partition(" ")
    return RunRecord(space, About(data=subject), dict(zip(names, signs, strict=True)))


def _known(trial: FrozenTrial, objectives: list[str]) -> ArchitectureRecord:
    values = dict(zip(objectives, trial.values, strict=True))
    return ArchitectureRecord(
        recorded_text(trial) or "",
        properties=trial.user_attrs.get(METRICS, {}) | values,
        trial=trial.number,
        allowed=is_feasible(trial),
    )
