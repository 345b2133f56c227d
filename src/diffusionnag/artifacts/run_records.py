"""What a file of architectures came from, as JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from diffusionnag._files import read_json, write_atomically
from diffusionnag.artifacts.model_cards import About
from diffusionnag.artifacts.schema import from_json
from diffusionnag.errors import DiffusionNAGError

SUFFIX = ".run.json"


@dataclass(frozen=True)
class RunRecord:
    """What was asked for when a file was written, and what there is to compare it with.

    `goals` are the properties that were asked for by name, 1 for those to be raised, -1 for those
    to be lowered. `random` and `random_true` hold the same properties of uniform random draws that
    keep the limits, as predicted or known exactly, and as measured. `warm_up` counts a search's
    first measurements.
    """

    search_space: str
    about: About
    goals: Mapping[str, int] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    random: Mapping[str, list[float]] = field(default_factory=dict)
    random_true: Mapping[str, list[float]] = field(default_factory=dict)
    warm_up: int = 0


def record_path(output: Path) -> Path:
    """Return where the record of a file lies: each file has its own, whatever its ending."""
    if output.suffix == ".jsonl":
        return output.with_suffix(SUFFIX)
    return output.with_name(output.name + SUFFIX)


def write_run_record(output: Path, record: RunRecord) -> None:
    """Write the record of a file beside it, as `NAME.run.json`; a device or a pipe has none."""
    if output.is_file():
        with write_atomically(record_path(output)) as temporary:
            temporary.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")


def read_run_record(output: Path) -> RunRecord | None:
    """Return the record of a file, None where there is none.

    Raises DiffusionNAGError where it is damaged, and what reading files raises.
    """
    path = record_path(output)
    if not path.is_file():
        return None
    try:
        return parse_run_record(read_json(path))
    except (ValueError, DiffusionNAGError) as error:
        raise DiffusionNAGError(f"{path} is damaged; delete it to go without") from error


def parse_run_record(value: Any) -> RunRecord:
    """Return the record that `dataclasses.asdict` made this of.

    Raises DiffusionNAGError for anything else.
    """
    record: RunRecord = from_json(RunRecord, value, "the record of a run")
    return replace(
        record, goals={name: 1 if sign > 0 else -1 for name, sign in record.goals.items()}
    )
