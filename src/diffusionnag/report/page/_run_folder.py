"""What a folder of runs holds: architectures, studies, comparisons, models, by what they are."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffusionnag._packages import require_packages
from diffusionnag.artifacts.checkpoints import CONFIG_FILE, read_config
from diffusionnag.artifacts.model_cards import About
from diffusionnag.artifacts.schema import from_json
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.networks import COMPARISON_FILE, HISTORY_FILE, Comparison, read_comparison
from diffusionnag.report.page._architecture_set import (
    ArchitectureSet,
    printable,
    read_architectures,
)

ARCHITECTURES, STUDIES = (".jsonl",), (".db", ".sqlite", ".sqlite3", ".log")
"""Suffixes of files that may hold either."""


@dataclass(frozen=True)
class Model:
    """A model folder: what it is, where it came from, and how it was trained.

    `subject` is what it predicts, or the architecture of a network; `course` has the `metric` of a
    network after each epoch, and is empty for a model that is none.
    """

    name: str
    kind: str
    search_space: str
    subject: str
    about: About
    metric: str
    course: np.ndarray


@dataclass(frozen=True)
class NamedComparison:
    """A comparison, under the name of its folder."""

    name: str
    comparison: Comparison


Entry = ArchitectureSet | NamedComparison | Model


@dataclass(frozen=True)
class RunFolder:
    """All that a folder and the folders in it hold, the oldest first, and what could not be read."""

    name: str
    entries: tuple[Entry, ...]
    left_out: tuple[str, ...]


def read_run_folder(folder: Path) -> RunFolder:
    """Return what a folder holds; files that are damaged, or something else, are named in it.

    Raises EnvironmentFailureError for a folder that cannot be read, and DiffusionNAGError where
    nothing of ours is in it.
    """
    entries: list[Entry] = []
    left_out = []
    for path in _files(folder):
        try:
            entries += _read(path)
        except (DiffusionNAGError, OSError) as error:
            left_out.append(printable(f"{path.relative_to(folder)}: {error}"))
    if not entries:
        raise DiffusionNAGError(
            f"{folder} holds nothing to report: neither architectures (.jsonl), nor studies (.db, "
            ".log), nor comparisons, nor models" + "".join(f"; {line}" for line in left_out[:1])
        )
    return RunFolder(printable(folder.resolve().name), _each_once(entries), tuple(left_out))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, and of those in it, the oldest first."""
    try:
        folders = [folder, *(path for path in folder.iterdir() if path.is_dir())]
        files = [path for place in folders for path in place.iterdir() if path.is_file()]
        shown = [path for path in files if not path.relative_to(folder).name.startswith(".")]
        yield from sorted(shown, key=lambda path: (path.stat().st_mtime_ns, path))
    except OSError as error:
        raise EnvironmentFailureError(f"cannot read {folder}: {error.strerror or error}") from error


def _read(path: Path) -> Sequence[Entry]:
    """Return what a file holds, nothing where it is none of those that may hold something."""
    if path.name == CONFIG_FILE:
        return [_read_model(path.parent)]
    if path.name == COMPARISON_FILE:
        return [NamedComparison(printable(path.resolve().parent.name), read_comparison(path))]
    if path.suffix in ARCHITECTURES:
        return [read_architectures(path)]
    if path.suffix not in STUDIES:
        return []
    require_packages("search", "optuna")
    from diffusionnag.report.page._studies import read_studies

    return read_studies(path)


def _read_model(folder: Path) -> Model:
    config = read_config(folder)
    try:
        metric, course = _course(folder / HISTORY_FILE)
        return Model(
            name=printable(folder.resolve().name),
            kind=printable(config["kind"]).replace("_", " "),
            search_space=printable(config["search_space"]),
            subject=printable(config.get("architecture") or config.get("property") or ""),
            about=from_json(About, config["about"], "about"),
            metric=metric,
            course=course,
        )
    except (LookupError, TypeError, ValueError, csv.Error) as error:
        raise DiffusionNAGError("it is no model of this library") from error


def _course(path: Path) -> tuple[str, np.ndarray]:
    """Return the first metric of a training, by its name, and its value after each epoch."""
    if not path.is_file():
        return "", np.zeros(0)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    metric = list(rows[0])[2]
    return metric, np.array([float(row[metric]) for row in rows])


def _each_once(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Leave out the files that a search wrote beside its study, which tells the same."""

    def command(entry: Entry) -> str:
        return (
            entry.record.about.command
            if isinstance(entry, ArchitectureSet) and entry.record
            else ""
        )

    def is_file(entry: Entry) -> bool:
        return Path(entry.name).suffix in ARCHITECTURES

    studied = {command(entry) for entry in entries if not is_file(entry)} - {""}
    return tuple(entry for entry in entries if not (is_file(entry) and command(entry) in studied))
