"""Architectures and what is known of them as JSON lines: what `--out` of every command writes."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffusionnag._files import read_file, write_atomically
from diffusionnag.errors import DiffusionNAGError

_LARGEST_TRIAL = 2**63 - 1


@dataclass(frozen=True)
class ArchitectureRecord:
    """An architecture as its string, and what is known of it; None and empty where nothing is.

    `properties` are predicted, analytic or measured, in each property's unit; `std` are the standard
    deviations of those predicted, `true` the values that a measured table holds. `front` says
    whether it lies on the front of several goals. `trial` is the number under which a search
    measured it, and `allowed` says whether it keeps the search's constraints.
    """

    architecture: str
    valid: bool | None = None
    properties: Mapping[str, float] = field(default_factory=dict)
    std: Mapping[str, float] = field(default_factory=dict)
    true: Mapping[str, float] = field(default_factory=dict)
    front: bool | None = None
    trial: int | None = None
    allowed: bool | None = None


def write_records(path: Path, records: Iterable[ArchitectureRecord]) -> None:
    """Write one JSON object a line, as they come, so that they need not fit into memory.

    Raises EnvironmentFailureError where the file cannot be written.
    """
    with write_atomically(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(map(json_line, records))


def json_line(record: ArchitectureRecord) -> str:
    """Return the line of a record; of its fields those that hold something, and `properties`."""
    known = {
        name: value
        for name, value in vars(record).items()
        if name == "properties" or value not in (None, {})
    }
    return json.dumps(known) + "\n"


def read_records(path: Path) -> list[ArchitectureRecord]:
    """Return the records of a file, at least one; keys that no record has are left out.

    Raises DiffusionNAGError that names the line for anything else, EnvironmentFailureError for a
    file that cannot be read.
    """
    records = [
        _record(f"{path}, line {number}", values) for number, values in read_objects(path).items()
    ]
    if not records:
        raise DiffusionNAGError(f"{path} holds no architectures")
    return records


def read_objects(path: Path) -> dict[int, dict[str, Any]]:
    """Return the JSON object of each line that is not empty, by the number of its line from 1.

    Raises DiffusionNAGError for a line of anything else, EnvironmentFailureError for a file that cannot
    be read.
    """
    objects = {}
    for number, line in enumerate(read_file(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line.decode("utf-8-sig"))
            if b"\\ud" in line.lower():  # halves of characters, which cannot be printed
                text = json.dumps(values, ensure_ascii=False)
                values = json.loads(text.encode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise DiffusionNAGError(
                f"{path}, line {number}: not JSON; the file is damaged, cut short or of another kind"
            ) from error
        if not isinstance(values, dict):
            raise DiffusionNAGError(
                f'{path}, line {number}: not an object such as {{"architecture": ...}}'
            )
        objects[number] = values
    return objects


def _record(where: str, values: Mapping[str, Any]) -> ArchitectureRecord:
    def flag(name: str) -> bool | None:
        value = values.get(name)
        if not isinstance(value, bool | None):
            raise DiffusionNAGError(f"{where}: {name!r} should be true or false")
        return value

    def numbers(name: str) -> dict[str, float]:
        named = values.get(name) or {}
        if not isinstance(named, dict) or not all(map(_is_number, named.values())):
            raise DiffusionNAGError(f"{where}: {name!r} should be an object of numbers")
        return {key: math.nan if value is None else value for key, value in named.items()}

    architecture, trial = values.get("architecture"), values.get("trial")
    if not isinstance(architecture, str):
        raise DiffusionNAGError(f"{where}: 'architecture' should be a text")
    if trial is not None and not (type(trial) is int and 0 <= trial <= _LARGEST_TRIAL):
        raise DiffusionNAGError(f"{where}: 'trial' should be a whole number of 0 or more")
    return ArchitectureRecord(
        architecture,
        valid=flag("valid"),
        properties=numbers("properties"),
        std=numbers("std"),
        true=numbers("true"),
        front=flag("front"),
        trial=trial,
        allowed=flag("allowed"),
    )


def _is_number(value: Any) -> bool:
    """Return whether it is a number that fits into 64 bits, or null."""
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        return False
    return value is None or isinstance(value, float) or abs(value) <= sys.float_info.max
