"""What a search is about: measured values to be raised or lowered, and bounds on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from optuna.trial import Trial

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance import analytic_names
from diffusionnag.networks import counted_names
from diffusionnag.search.objectives._command_objective import PRINTED, CommandObjective
from diffusionnag.search.objectives._constraints import Constraint
from diffusionnag.search.objectives._kinds import (
    KINDS,
    Kind,
    ObjectiveText,
    malformed,
)
from diffusionnag.search.objectives._measure import Measure, MissingValueError, ask
from diffusionnag.search.trials import Direction
from diffusionnag.spaces import Architecture, SearchSpace, is_better

DIRECTIONS: dict[str, Direction] = {"max": "maximize", "min": "minimize"}
"""What may stand behind an objective's `=`, and what Optuna calls it."""


@dataclass(frozen=True)
class Problem:
    """Which measured values, by name, are objectives, which are constrained, and what measures them.

    `directions` are Optuna's, one for each objective; `subject` says all of it in one line. `cost`
    is a measured value that is summed, to tell what the measurements cost, or would have cost.
    `kind` is that of the first objective; `sources` says where named values were asked for.
    """

    subject: str
    measures: Mapping[str, Measure]
    objectives: tuple[str, ...]
    directions: tuple[Direction, ...]
    constraints: tuple[Constraint, ...]
    cost: str | None
    kind: Kind
    sources: Mapping[str, ObjectiveText]

    @property
    def needed(self) -> tuple[str, ...]:
        """The names of all values that a measurement must have, each once."""
        costs = () if self.cost is None else (self.cost,)
        names = (*self.objectives, *(bound.name for bound in self.constraints), *costs)
        return tuple(dict.fromkeys(names))

    @property
    def signs(self) -> np.ndarray:
        """Which way each objective is better: 1 for more, -1 for less."""
        return np.array([1 if direction == "maximize" else -1 for direction in self.directions])

    def measure(self, architecture: Architecture, trial: Trial | None = None) -> dict[str, float]:
        """Return every measured value by name; `trial` is for measures that ask for it.

        Raises MissingValueError where one that is asked for is missing.
        """
        metrics: dict[str, float] = {}
        for name, measure in self.measures.items():
            measured = ask(measure, architecture, trial)
            if isinstance(measured, Mapping):
                metrics |= measured
            elif isinstance(measured, Sequence):
                metrics |= dict(zip(self.objectives, measured, strict=True))
            else:
                metrics[name] = measured
        for name in self.needed:
            if name not in metrics:
                raise MissingValueError(self._missing(name, metrics))
        return metrics

    def _missing(self, name: str, metrics: Mapping[str, float]) -> str:
        known = ", ".join(metrics)
        reason = f"nothing named {name} was measured, only {known or 'nothing'}"
        source = self.sources.get(name)
        if known and source is not None and source.kind == "python":
            reason += f"; write {source.kind}:{source.source}:{next(iter(metrics))}"
        elif known:
            reason += "; name one of these"
        return reason


def read_problem(
    objectives: Sequence[str],
    constraints: Sequence[tuple[str, int, float]],
    space: SearchSpace,
    *,
    minimize: bool = False,
    evaluate: Measure | None = None,
    cost: str | None = None,
) -> Problem:
    """Return the problem of objectives, each `TEXT[=max|=min]`, and constraints.

    A text is one that `read_objective` reads, or the name alone of another column of the first
    objective's table, of another value that its function returns, or of an analytic property. A
    constraint is such a text, the sign of its bound (1 for an upper one) and the bound. `minimize`
    is the direction of a single objective that states none; the errors of a trained network are
    lowered in any case. With `evaluate`, a command or a
    function, a name alone is one of the values that it gives, and without objectives a number alone
    is the only one. `cost` is a text as a constraint has it; training costs its seconds unless
    another is given. Raises DiffusionNAGError as `read_objective` does, for an objective that is
    there twice, and where there is nothing to measure.
    """
    if not objectives and evaluate is None:
        raise DiffusionNAGError("nothing to measure; give an objective, or a command to evaluate")
    stated = [_split_direction(text) for text in objectives or (PRINTED,)]
    if minimize and (len(stated) > 1 or stated[0][1]):
        raise DiffusionNAGError(
            "minimize is for one objective that states no direction; of several, each to be "
            "lowered ends in =min"
        )
    values = _Values(space, None if evaluate is not None else stated[0][0])
    names = [values.name_of(text) for text, _ in stated]
    directions: list[Direction] = [
        DIRECTIONS[way or ("min" if minimize or values.is_error(name) else "max")]
        for (_, way), name in zip(stated, names, strict=True)
    ]
    for name in names:
        if names.count(name) > 1:
            raise DiffusionNAGError(f"the objective {name} is there twice")
    bounds = [Constraint(values.name_of(text), sign, bound) for text, sign, bound in constraints]
    kind = KINDS["command" if isinstance(evaluate, CommandObjective) else "python"]
    if values.first is not None:
        kind = KINDS[values.first.kind]
    summed = kind.cost if cost is None else values.name_of(cost)
    subject = " and ".join(text for text, _ in stated)
    if bounds:
        subject += f" with {' and '.join(bound.describe() for bound in bounds)}"
    measures: dict[str, Measure] = {}
    if evaluate is not None:
        subject += f" by {_name(evaluate)}"
        measures[PRINTED] = evaluate
    measures |= values.measures()
    return Problem(
        subject,
        measures,
        tuple(names),
        tuple(directions),
        tuple(bounds),
        summed,
        kind,
        values.sources,
    )


def _split_direction(text: str) -> tuple[str, str]:
    """Return an objective and the direction behind its `=`, empty where it states none."""
    stated, separator, direction = text.rpartition("=")
    return (stated, direction) if separator and direction in DIRECTIONS else (text, "")


def _name(evaluate: Measure) -> str:
    if isinstance(evaluate, CommandObjective):
        return evaluate.command
    return getattr(evaluate, "__name__", type(evaluate).__name__)


class _Values:
    """The values that are asked for, and where those come from that have a source of their own.

    A name alone belongs to the `first` objective: it is another column of its table, or another
    value that it measures. Without a first one it is a value that a command or function gives.
    """

    def __init__(self, space: SearchSpace, first: str | None) -> None:
        self.space = space
        self.first = None
        self.sources: dict[str, ObjectiveText] = {}
        if first is not None:
            self.first = ObjectiveText.parse(first, space) or self._analytic(first)
            if self.first is None:
                raise malformed(first)

    def name_of(self, text: str) -> str:
        """Return the name of what a text asks for, and note its source."""
        objective = ObjectiveText.parse(text, self.space) or self._analytic(text)
        if objective is None:
            if self.first is None or not KINDS[self.first.kind].looked_up:
                return text
            objective = replace(self.first, name=text)
        name = objective.name
        if self.sources.setdefault(name, objective) != objective:
            # Another table has a column of the same name.
            name = text
            self.sources[name] = objective
        return name

    def is_error(self, name: str) -> bool:
        """Whether a value is a metric of a trained network, of which less is better."""
        source = self.sources.get(name)
        return source is not None and KINDS[source.kind].trained and is_better(name, 0, 1)

    def _analytic(self, text: str) -> ObjectiveText | None:
        known = text in analytic_names(self.space) or text in counted_names(self.space)
        return ObjectiveText("analytic", text, text) if known else None

    def measures(self) -> dict[str, Measure]:
        """Return what measures the values, once where a function gives several of them."""
        measures, read = {}, set[tuple[str, str]]()
        for name, objective in self.sources.items():
            source = (objective.kind, objective.source)
            if KINDS[objective.kind].looked_up or source not in read:
                measures[name] = objective.read(self.space)
            read.add(source)
        return measures
