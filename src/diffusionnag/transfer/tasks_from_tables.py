"""Known tasks and a few measurements of a new one, read from the columns of tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag._seeds import check_seed, numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import SearchSpace
from diffusionnag.tables import Measurements, clean_measurements, open_table, split_table
from diffusionnag.tables.measurements import FEWEST_ARCHITECTURES
from diffusionnag.transfer.tasks import FEWEST_TASKS, TaskTransfer

MOST_LABELLED = 200
"""So many architectures of the known tasks are learnt from at most: the same of all."""


@dataclass(frozen=True)
class LearntTasks:
    """A process of a new task, and how much it was told."""

    process: TaskTransfer
    names: tuple[str, ...]
    labelled: int
    """Architectures of each known task that it learnt from."""
    measured: int
    """Architectures of the new task that it was given."""
    report: tuple[str, ...]
    """What was done to the rows of what was measured."""

    def describe(self) -> tuple[str, ...]:
        """Return in lines for the user what was learnt from, and how much each known task counts."""
        shares = zip(self.names, self.process.task_weights(), strict=True)
        known = f"{self.labelled} architectures of each of {len(self.names)} known tasks"
        if not self.measured:
            return (
                f"learnt from {known}; nothing of the new one: all count alike, and values are normal "
                "scores",
            )
        return (
            f"learnt from {known} and {self.measured} of the new one",
            "how much each counts: " + ", ".join(f"{name} {share:.2f}" for name, share in shares),
        )


def learn_tasks(
    space: SearchSpace,
    tasks: Sequence[str],
    measured: str | None = None,
    *,
    labelled: int = MOST_LABELLED,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda step, steps: None,
) -> LearntTasks:
    """Return what `TABLE:COLUMN` of known tasks and the measurements of a new one teach of it.

    A table is a file or an installed one; more must be better in every column. Of the architectures
    that all tasks have, the seed draws at most `labelled`. `measured` is a table of the new task,
    `FILE` with one column of numbers or `FILE:COLUMN`. Raises DiffusionNAGError for what cannot be
    read, for a task named twice, fewer than two, and where they share fewer than five architectures.
    """
    check_seed(seed)
    names = tuple(tasks)
    if len(set(names)) < FEWEST_TASKS or len(set(names)) < len(names):
        raise DiffusionNAGError(
            f"at least {FEWEST_TASKS} different known tasks are needed, each TABLE:COLUMN"
        )
    columns = [_column(text, space) for text in names]
    values_of = [
        dict(zip(column.architectures, column.values.tolist(), strict=True)) for column in columns
    ]
    common = [
        architecture
        for architecture in columns[0].architectures
        if all(architecture in values for values in values_of)
    ]
    if len(common) < FEWEST_ARCHITECTURES:
        raise DiffusionNAGError(
            f"only {len(common)} architectures have a value in every known task; at least "
            f"{FEWEST_ARCHITECTURES} are needed"
        )
    rows = numpy_generator(seed).permutation(len(common))[:labelled]
    chosen = [common[row] for row in rows]
    values = np.array([[values[architecture] for values in values_of] for architecture in chosen])
    process = TaskTransfer.learn(space, chosen, values, report=report)
    if measured is None:
        return LearntTasks(process, names, len(chosen), 0, ())
    known = _column(measured, space, only=True)
    given = process.given(known.architectures, known.values)
    return LearntTasks(given, names, len(chosen), len(known.architectures), known.report)


def _column(text: str, space: SearchSpace, *, only: bool = False) -> Measurements:
    """Return a column of a table; if it is the `only` one its name may be left out."""
    source, column = split_table(text, space)
    table = open_table(source, space)
    if not column and only and len(table.columns) == 1:
        column = next(iter(table.columns))
    if not column:
        raise DiffusionNAGError(
            f"{text} names no column: write {text}:COLUMN; it has {', '.join(table.columns)}"
        )
    return clean_measurements(table, space, column)
