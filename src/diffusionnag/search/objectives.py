"""Objectives: where the value of an architecture comes from."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from optuna.exceptions import TrialPruned
from optuna.trial import Trial

from diffusionnag._user_code import import_user_code
from diffusionnag.errors import DiffusionNAGError, SpaceExhaustedError
from diffusionnag.search.constraints import Constraint
from diffusionnag.search.trials import FAILURE, INTERRUPTED, METRICS, suggest_architecture
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables import Table, clean_measurements, known_tables, read_table

Measure = Callable[..., float | Mapping[str, float]]
"""What measures an architecture: its value, or several values by name.

It is called with the architecture, and with Optuna's trial if it has a parameter `trial`.
"""
KINDS = ("table", "surrogate", "python", "training")
LOOKED_UP = ("table", "surrogate")
RUNNING = ("python", "training")
"""Kinds that measure, and so may report while they do, and return several values by name."""
ACCURACY, TRAIN_SECONDS = "accuracy", "train_seconds"
"""The values that training measures."""


class MeasurementError(Exception):
    """An architecture has no value; the message says why. The search goes on without it."""


def read_objective(text: str, space: SearchSpace) -> Measure:
    """Return what measures: one of four kinds, as the text says.

    They are `table:TABLE:COLUMN`, `surrogate:TABLE:COLUMN`, `python:FILE.py:FUNCTION` and
    `training:IMAGES` (see `read_training`). A table is a file or an installed one. An architecture
    that it does not have raises MeasurementError; a surrogate learns from its rows, and has a value
    for each. Raises DiffusionNAGError for any other text; for a table that is missing, damaged, of
    another space, or without the column; for code that cannot be loaded, or has no such function;
    and for images that cannot be used.
    """
    kind, source, name = split_objective(text, space)
    if kind == "table":
        return _table_objective(source, name, space)
    if kind == "surrogate":
        return _surrogate_objective(source, name, space)
    if kind == "training":
        from diffusionnag.search.training_objective import read_training

        return read_training(source, space)
    found = getattr(import_user_code(source, text), name, None)
    if not callable(found):
        raise DiffusionNAGError(f"{source} defines no function {name!r}")
    return cast(Measure, found)


def split_objective(text: str, space: SearchSpace) -> tuple[str, str, str]:
    """Return the kind, the table, file or images, and the column or function of an objective's text.

    Raises DiffusionNAGError for any other text.
    """
    kind, _, rest = text.partition(":")
    if kind in KINDS:
        source, name = _split_table(rest, space)
        if kind == "python":
            source, _, name = rest.rpartition(":")
        elif kind == "training":
            source, name = rest, ACCURACY
        if source and name:
            return kind, source, name
    raise DiffusionNAGError(
        f"the objective {text!r} should read like 'table:measured.csv:accuracy', "
        "'table:nasbench201_accuracy:cifar10_test_200ep' for an installed table, "
        "'surrogate:mnasnet_imagenet:imagenet_top1' for what is learnt from one, "
        "'python:measure.py:accuracy' for a function, or 'training:images,epochs=20' for training"
    )


def _table_objective(name: str, column: str, space: SearchSpace) -> Measure:
    table = _read(name, space)
    measured = clean_measurements(table, space, column)
    values = dict(zip(measured.architectures, measured.values.tolist(), strict=True))

    def look_up(architecture: Architecture) -> float:
        if architecture not in values:
            raise MeasurementError(f"the table {table.name} has no {column} of this architecture")
        return values[architecture]

    return look_up


def _surrogate_objective(name: str, column: str, space: SearchSpace) -> Measure:
    from diffusionnag.tables.surrogate import SurrogateBenchmark

    measured = clean_measurements(_read(name, space), space, column)
    benchmark = SurrogateBenchmark(space).fit(measured.architectures, measured.values)
    return lambda architecture: float(benchmark.predict([architecture])[0])


def _read(name: str, space: SearchSpace) -> Table:
    installed = known_tables(space.name)
    return installed[name]() if name in installed else read_table(Path(name))


def _split_table(text: str, space: SearchSpace) -> tuple[str, str]:
    """Return table and column of `TABLE:COLUMN`; both of them may contain a colon."""
    for name in known_tables(space.name):
        if text.startswith(f"{name}:"):
            return name, text[len(name) + 1 :]
    for place, character in enumerate(text):
        if character == ":" and Path(text[:place]).is_file():
            return text[:place], text[place + 1 :]
    name, _, column = text.partition(":")
    return name, column


def optuna_objective(
    space: SearchSpace,
    measure: Measure,
    objectives: Sequence[str] = (),
    constraints: Sequence[Constraint] = (),
) -> Callable[[Trial], float | tuple[float, ...]]:
    """Return what Optuna's `optimize` calls: it measures the architecture of a trial.

    Where `measure` returns several values by name, those of the `objectives` are the trial's, the
    `constraints` become Optuna's, and all are kept in the user attribute `metrics`. A measurement
    that fails in any way raises MeasurementError, for `catch`, with the reason in the trial's user
    attribute `failure`; a sampler that has nothing left to propose ends it by SpaceExhaustedError.
    """

    def objective(trial: Trial) -> float | tuple[float, ...]:
        try:
            architecture = suggest_architecture(trial, space)
            found = ask(measure, architecture, trial)
            if not isinstance(found, Mapping):
                return _finite(found)
            metrics = {name: float(value) for name, value in found.items()}
            values = tuple(_finite(metrics[name], name) for name in objectives)
            trial.set_user_attr(METRICS, metrics)
            for one in constraints:
                trial.set_constraint(one.describe(), _finite(one.excess(metrics), one.name))
        except (KeyboardInterrupt, SpaceExhaustedError):
            trial.set_user_attr(INTERRUPTED, True)
            raise
        except TrialPruned:
            raise
        except Exception as error:
            reason = f"{error}" or type(error).__name__
            trial.set_user_attr(FAILURE, reason)
            raise MeasurementError(reason) from error
        return values

    return objective


def ask(
    measure: Measure, architecture: Architecture, trial: Trial | None
) -> float | Mapping[str, float]:
    """Return what is measured of an architecture; the trial is given to what has a place for it."""
    try:
        wanted = "trial" in inspect.signature(measure).parameters
    except (TypeError, ValueError):  # some built-in functions have no signature
        wanted = False
    return measure(architecture, trial=trial) if wanted else measure(architecture)


def _finite(value: float, name: str = "the value") -> float:
    if not math.isfinite(value):
        raise MeasurementError(f"{name} is {value}")
    return float(value)
