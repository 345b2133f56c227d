"""What a search is about: measured values to be raised or lowered, and bounds on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.trial import Trial

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.search.command_objective import CommandObjective
from diffusionnag.search.constraints import Constraint
from diffusionnag.search.objectives import (
    RUNNING,
    TRAIN_SECONDS,
    Measure,
    MeasurementError,
    ask,
    read_objective,
    split_objective,
)
from diffusionnag.search.trials import Direction
from diffusionnag.spaces import Architecture, SearchSpace

DIRECTIONS: dict[str, Direction] = {"max": "maximize", "min": "minimize"}
"""What may stand behind an objective's `=`, and what Optuna calls it."""
COMMAND = "command"
PRINTED = "value"
"""The name of what a command measures that prints a number without one."""


@dataclass(frozen=True)
class Problem:
    """Which measured values, by name, are objectives, which are constrained, and what measures them.

    `directions` are Optuna's, one for each objective; `subject` says all of it in one line. `cost`
    is a measured value that is summed, to tell what the measurements cost, or would have cost.
    `kind` is that of the first objective, or `command`.
    """

    subject: str
    measures: Mapping[str, Measure]
    objectives: tuple[str, ...]
    directions: tuple[Direction, ...]
    constraints: tuple[Constraint, ...]
    cost: str | None = None
    kind: str = COMMAND

    @property
    def needed(self) -> tuple[str, ...]:
        """The names of all values that a measurement must have, each once."""
        costs = () if self.cost is None else (self.cost,)
        names = (*self.objectives, *(one.name for one in self.constraints), *costs)
        return tuple(dict.fromkeys(names))

    @property
    def signs(self) -> np.ndarray:
        """Which way each objective is better: 1 for more, -1 for less."""
        return np.array([1 if one == "maximize" else -1 for one in self.directions])

    def measure(self, architecture: Architecture, trial: Trial | None = None) -> dict[str, float]:
        """Return every measured value by name; `trial` is for measures that ask for it.

        Raises MeasurementError where one that is asked for is missing.
        """
        metrics: dict[str, float] = {}
        for name, measure in self.measures.items():
            found = ask(measure, architecture, trial)
            metrics |= found if isinstance(found, Mapping) else {name: found}
        for name in self.needed:
            if name not in metrics:
                known = ", ".join(metrics) or "nothing"
                raise MeasurementError(f"nothing named {name} was measured, only {known}")
        return metrics


def read_problem(
    objectives: Sequence[str],
    constraints: Sequence[tuple[str, int, float]],
    space: SearchSpace,
    *,
    minimize: bool = False,
    command: CommandObjective | None = None,
    cost: str | None = None,
) -> Problem:
    """Return the problem of objectives, each `TEXT[=max|=min]`, and constraints.

    A text is one that `read_objective` reads, or the name alone of another column of the first
    objective's table, or of another value that its function returns. A constraint is such a text,
    the sign of its bound (1 for an upper one) and the bound. `minimize` is the direction of a
    single objective that states none. With a `command`, a name alone is one of the values that it
    prints, and without objectives the number that it prints is the only one. `cost` is a text as a
    constraint has it; training costs its seconds unless another is given. Raises DiffusionNAGError
    as `read_objective` does, for an objective that is there twice, and where there is nothing to
    measure.
    """
    if not objectives and command is None:
        raise DiffusionNAGError(
            "nothing to measure; give an --objective, or a command to --evaluate"
        )
    objectives = objectives or (PRINTED,)
    texts: dict[str, str] = {}
    first = None if command is not None else _split_direction(objectives[0])[0]
    kind = COMMAND if first is None else split_objective(first, space)[0]

    def name_of(text: str) -> str:
        name, text = _expand(text, first, space)
        if texts.setdefault(name, text) != text:
            # Another table has a column of the same name.
            name = text
            texts[name] = text
        return name

    stated = [_split_direction(text) for text in objectives]
    if minimize and (len(stated) > 1 or stated[0][1]):
        raise DiffusionNAGError(
            "--minimize is for one objective that states no direction; of several, each to be "
            "lowered ends in =min"
        )
    usual = DIRECTIONS["min" if minimize else "max"]
    names = [name_of(text) for text, _ in stated]
    directions: list[Direction] = [DIRECTIONS[one] if one else usual for _, one in stated]
    for name in names:
        if names.count(name) > 1:
            raise DiffusionNAGError(f"the objective {name} is there twice")
    bounds = [Constraint(name_of(text), sign, bound) for text, sign, bound in constraints]
    usual_cost = TRAIN_SECONDS if kind == "training" else None
    summed = usual_cost if cost is None else name_of(cost)
    subject = " and ".join(text for text, _ in stated)
    if bounds:
        subject += f" with {' and '.join(one.describe() for one in bounds)}"
    measures: dict[str, Measure] = {}
    if command is not None:
        subject += f" by {command.command}"
        measures[PRINTED] = command
    measures |= {name: read_objective(text, space) for name, text in texts.items() if text}
    return Problem(subject, measures, tuple(names), tuple(directions), tuple(bounds), summed, kind)


def _split_direction(text: str) -> tuple[str, str]:
    """Return an objective and the direction behind its `=`, empty where it states none."""
    stated, separator, direction = text.rpartition("=")
    return (stated, direction) if separator and direction in DIRECTIONS else (text, "")


def _expand(text: str, first: str | None, space: SearchSpace) -> tuple[str, str]:
    """Return the name of what a text measures, and the text that `read_objective` reads for it.

    Without one the value is among those that the function or training of the first objective
    returns, or, where `first` is None, that a command prints.
    """
    try:
        return split_objective(text, space)[2], text
    except DiffusionNAGError:
        if text == first:
            raise
    if first is None:
        return text, ""
    kind, source, _ = split_objective(first, space)
    return text, "" if kind in RUNNING else f"{kind}:{source}:{text}"
