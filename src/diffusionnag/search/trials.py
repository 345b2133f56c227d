"""Architectures as Optuna's trials: one categorical parameter for each node that has a choice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace

Direction = Literal["maximize", "minimize"]
"""Which way an objective is better, as Optuna names it."""
ARCHITECTURE = "diffusionnag_architecture"
"""The user attribute that holds a trial's architecture as a string."""
FORMER_ARCHITECTURE = "architecture"
"""Its name in studies of earlier versions; users gave it to attributes of their own."""
FAILURE = "failure"
"""The user attribute that says why a trial has no value."""
METRICS = "metrics"
"""The user attribute that holds all measured values by name."""
UNBUILDABLE = "unbuildable"
"""The user attribute that counts proposals passed over, as no network of them can be built."""
INTERRUPTED = "interrupted"
"""The user attribute of a trial that the user stopped before it had a value."""


@dataclass(frozen=True)
class Measured:
    """An architecture with its value in each objective, more being better, and its constraints.

    A constraint is kept where its value is at most 0, as Optuna has it. Of one that is still `running`
    they are assumed.
    """

    architecture: Architecture
    values: tuple[float, ...]
    constraints: Mapping[str, float] = field(default_factory=dict)
    running: bool = False

    @classmethod
    def of(
        cls, architecture: Architecture, trial: FrozenTrial, directions: Sequence[StudyDirection]
    ) -> Measured:
        """Return what a complete trial of a study with these directions measured."""
        pairs = zip(directions, trial.values, strict=True)
        values = (sign_of(direction) * value for direction, value in pairs)
        return cls(architecture, tuple(values), trial.constraints)

    @property
    def value(self) -> float:
        """The value of the only objective."""
        (value,) = self.values
        return value

    @property
    def violation(self) -> float:
        """By how much the constraints are broken in all, 0 where none is."""
        return sum(max(value, 0.0) for value in self.constraints.values())


def bounded(measured: Sequence[Measured]) -> list[Measured]:
    """Return the same with finite numbers, from which models can learn.

    Infinite values and constraints lie beyond all finite ones by the spread of these; NaN counts as
    infinitely bad.
    """
    numbers = (
        number for trial in measured for number in (*trial.values, *trial.constraints.values())
    )
    if all(map(math.isfinite, numbers)):
        return list(measured)
    values = _finite(np.array([trial.values for trial in measured], dtype=np.float64), nan=-np.inf)
    names = {name for trial in measured for name in trial.constraints}
    columns = {
        name: _finite(
            np.array([[trial.constraints.get(name, 0.0)] for trial in measured]),
            nan=np.inf,
        )[:, 0]
        for name in names
    }
    return [
        Measured(
            trial.architecture,
            tuple(values[row].tolist()),
            {name: float(columns[name][row]) for name in trial.constraints},
        )
        for row, trial in enumerate(measured)
    ]


def _finite(values: np.ndarray, nan: float) -> np.ndarray:
    """Return `measured x values` with infinite ones beyond the finite ones of their column."""
    values = np.where(np.isnan(values), nan, values)
    known = np.where(np.isfinite(values), values, np.nan)
    for column, others in zip(values.T, known.T, strict=True):
        finite = others[np.isfinite(others)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
        spread = max(high - low, 1.0)
        column[column == np.inf] = high + spread
        column[column == -np.inf] = low - spread
    return values


def sign_of(direction: StudyDirection) -> int:
    """Return 1 where more is better, -1 where less is."""
    return 1 if direction == StudyDirection.MAXIMIZE else -1


def worst_case(architecture: Architecture, measured: Sequence[Measured]) -> Measured:
    """Return a running architecture as if it had the worst of all measured values, and kept the least."""
    values = np.min([trial.values for trial in measured], axis=0)
    names = {name for trial in measured for name in trial.constraints}
    known = {name: [trial.constraints.get(name, -math.inf) for trial in measured] for name in names}
    constraints = {name: max(excesses) for name, excesses in known.items()}
    return Measured(architecture, tuple(values.tolist()), constraints, running=True)


def distributions_of(space: SearchSpace) -> dict[str, CategoricalDistribution]:
    """Return the parameters of a space: operation names for each node that has more than one."""
    choices = {node: tuple(space.choices(row)) for row, node in enumerate(space.nodes)}
    return {
        node: CategoricalDistribution(names) for node, names in choices.items() if len(names) > 1
    }


def parameter_names(space: SearchSpace) -> set[str]:
    """Return the names of all parameters of a space."""
    return set(distributions_of(space))


def given_parameters(trial: FrozenTrial) -> set[str]:
    """Return the names of the parameters that a trial has, or that were fixed when it was queued."""
    return {*trial.params, *trial.system_attrs.get("fixed_params", {})}


def parameters_of(space: SearchSpace, architecture: Architecture) -> dict[str, str]:
    """Return the parameters of an architecture, node name -> operation name."""
    named = dict(zip(space.nodes, space.operation_names(architecture), strict=True))
    return {node: named[node] for node in distributions_of(space)}


def architecture_of(space: SearchSpace, parameters: Mapping[str, Any]) -> Architecture:
    """Return the architecture with these parameters.

    Raises DiffusionNAGError where one is missing, or where the space forbids their combination.
    """
    operations = []
    for row, node in enumerate(space.nodes):
        names = space.choices(row)
        if len(names) > 1 and node not in parameters:
            raise DiffusionNAGError(f"the trial has no parameter {node!r} of {space.name}")
        operations.append(names[0] if len(names) == 1 else str(parameters[node]))
    return space.build(operations)


def suggest_parameters(trial: Trial, space: SearchSpace) -> dict[str, Any]:
    """Return the parameters of what a trial is to measure, node name -> operation name."""
    return {
        node: trial.suggest_categorical(node, distribution.choices)
        for node, distribution in distributions_of(space).items()
    }


def suggest_architecture(trial: Trial, space: SearchSpace) -> Architecture:
    """Return the architecture that a trial is to measure, and note its string in the trial.

    Raises DiffusionNAGError where a sampler that does not know the space breaks its rule.
    """
    return note_architecture(trial, space, suggest_parameters(trial, space))


def note_architecture(
    trial: Trial, space: SearchSpace, parameters: Mapping[str, Any]
) -> Architecture:
    """Return the architecture with these parameters, and note its string in the trial.

    Raises DiffusionNAGError where the space forbids it.
    """
    architecture = architecture_of(space, parameters)
    text = space.format(architecture)
    if trial.user_attrs.get(ARCHITECTURE) != text:
        trial.set_user_attr(ARCHITECTURE, text)
    return architecture


def recorded_text(trial: FrozenTrial) -> str | None:
    """Return the string of a trial's architecture as it was noted, None where it was not."""
    return trial.user_attrs.get(ARCHITECTURE, trial.user_attrs.get(FORMER_ARCHITECTURE))


def recorded_architecture(space: SearchSpace, trial: FrozenTrial) -> Architecture | None:
    """Return the architecture of any trial, None where it has none of this space (yet)."""
    for name in (ARCHITECTURE, FORMER_ARCHITECTURE):
        text = trial.user_attrs.get(name)
        if isinstance(text, str):
            with suppress(DiffusionNAGError):
                return space.parse(text)
    with suppress(DiffusionNAGError):
        return architecture_of(space, trial.params or trial.system_attrs.get("fixed_params", {}))
    return None


def without_interrupted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials without those that were cut short, so that they count as never begun.

    These are the ones that the user stopped, and those of a killed process that Optuna queued again.
    """
    again = queued_again(trials)
    return [
        trial
        for trial in trials
        if not (
            trial.state == TrialState.FAIL
            and (trial.number in again or trial.user_attrs.get(INTERRUPTED))
        )
    ]


def queued_again(trials: Sequence[FrozenTrial]) -> set[int]:
    """Return the numbers of the trials that later ones run again."""
    return {number for trial in trials for number in trial.system_attrs.get("retry_history", [])}


def finished(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that were measured, or that failed or were pruned when they were."""
    return [trial for trial in without_interrupted(trials) if trial.state.is_finished()]
