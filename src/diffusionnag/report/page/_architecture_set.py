"""Architectures with what is known of them: the lines of a file, or the trials of a study."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffusionnag.artifacts.json_lines import ArchitectureRecord, read_records
from diffusionnag.artifacts.run_records import RunRecord, read_run_record
from diffusionnag.generation.dominance import non_dominated

Columns = dict[str, np.ndarray]
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class ArchitectureSet:
    """Architectures as strings, the best first unless they have trials, and their properties.

    Arrays are `count`: predicted, analytic or measured `properties`, `std` of those predicted, and
    `true` measured values of a table, NaN where there is none; `allowed` and `front` bool. `trials`
    are the numbers under which a search measured them, None where there was no search.
    """

    name: str
    architectures: tuple[str, ...]
    properties: Mapping[str, np.ndarray]
    std: Mapping[str, np.ndarray]
    true: Mapping[str, np.ndarray]
    allowed: np.ndarray
    front: np.ndarray | None = None
    trials: np.ndarray | None = None
    record: RunRecord | None = None

    @classmethod
    def of(
        cls, name: str, known: Sequence[ArchitectureRecord], record: RunRecord | None
    ) -> ArchitectureSet:
        """Return the set of what is known of each architecture, and of the run that wrote it."""

        def columns(of: Callable[[ArchitectureRecord], Mapping[str, float]]) -> Columns:
            cells = list(map(of, known))
            names = dict.fromkeys(name for cell in cells for name in cell)
            return {
                printable(name): np.array([float(cell.get(name, np.nan)) for cell in cells])
                for name in names
            }

        trials = [each.trial for each in known if each.trial is not None]
        front = [each.front for each in known if each.front is not None]
        return cls(
            name=printable(name),
            architectures=tuple(printable(each.architecture) for each in known),
            properties=columns(lambda each: each.properties),
            std=columns(lambda each: each.std),
            true=columns(lambda each: each.true),
            allowed=np.array([each.allowed is not False for each in known]),
            front=np.array(front) if len(front) == len(known) else None,
            trials=np.array(trials) if len(trials) == len(known) else None,
            record=record,
        )

    @property
    def goals(self) -> dict[str, int]:
        """The properties that were asked for, 1 to raise and -1 to lower them, if known."""
        stated = {} if self.record is None else self.record.goals
        named = {printable(name): sign for name, sign in stated.items()}
        return {name: sign for name, sign in named.items() if name in self.properties}

    def best_known(self, name: str) -> tuple[np.ndarray, str]:
        """Return a property's true values if all are there, else the others, and which they are."""
        true = self.true.get(name)
        if true is not None and np.isfinite(true).all():
            return true, "true"
        if self.trials is not None:
            return self.properties[name], "measured"
        return self.properties[name], "predicted" if name in self.std else "exact"

    @property
    def random_name(self) -> str:
        """What the random draws are that the record holds."""
        return "random in limits" if self.record and self.record.limits else "uniform random"

    def random(self, name: str, kind: str) -> np.ndarray:
        """Return a property of uniform random draws, of the same kind, empty where none is noted."""
        if self.record is None:
            return np.zeros(0)
        columns = self.record.random_true if kind == "true" else self.record.random
        values = np.array(columns.get(name, ()))
        return values[np.isfinite(values)]

    def on_front(self) -> np.ndarray:
        """Return which are allowed and dominated by no other in the goals, `count` bool."""
        if self.front is not None:
            return self.front
        front = np.zeros(len(self.architectures), dtype=bool)
        values = [sign * self.properties[name] for name, sign in self.goals.items()]
        known = np.flatnonzero(self.allowed & np.isfinite(values).all(axis=0))
        front[known] = non_dominated(np.stack(values, axis=1)[known])
        return front

    def ranking(self) -> np.ndarray:
        """Return the rows, best first: as they stand, or by the one goal of a search."""
        if self.trials is None or len(self.goals) != 1:
            return np.argsort(~self.allowed, kind="stable")
        ((name, sign),) = self.goals.items()
        return np.lexsort((-sign * self.properties[name], ~self.allowed))


def read_architectures(path: Path) -> ArchitectureSet:
    """Return the architectures of a file that `--out` of `generate`, `transfer` or `search` wrote.

    Raises DiffusionNAGError for an empty file, one of anything else, and a damaged record,
    EnvironmentFailureError where it cannot be read.
    """
    return ArchitectureSet.of(path.name, read_records(path), read_run_record(path))


def printable(text: str) -> str:
    """Return a text without what a picture cannot hold: control characters, halves of characters.

    Raises TypeError for what is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text")
    return CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")
