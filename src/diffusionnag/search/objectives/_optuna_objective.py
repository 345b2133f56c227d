"""A measurement as the objective that Optuna optimises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from optuna.exceptions import TrialPruned
from optuna.study import Study
from optuna.trial import Trial, TrialState

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.search.objectives._constraints import Constraint
from diffusionnag.search.objectives._measure import (
    Measure,
    MeasurementError,
    MissingValueError,
    ask,
)
from diffusionnag.search.trials import (
    FAILURE,
    INTERRUPTED,
    METRICS,
    note_architecture,
    suggest_parameters,
)
from diffusionnag.spaces import SearchSpace


def optuna_objective(
    space: SearchSpace,
    measure: Measure,
    objectives: Sequence[str] = (),
    constraints: Sequence[Constraint] = (),
) -> Callable[[Trial], float | tuple[float, ...]]:
    """Return what Optuna's `optimize` calls: it measures the architecture of a trial.

    Where `measure` returns values by name, those of the `objectives` are the trial's, the
    `constraints` become Optuna's, and all are kept in the user attribute `metrics`; a sequence holds
    the objectives in their order. A measurement that fails in any way raises MeasurementError, for
    `catch`, with the reason in the trial's user attribute `failure`. What the sampler raises, such as
    SpaceExhaustedError where nothing is left to propose, ends the search as it is. A name that is
    missing where no trial has had a value yet is a slip: DiffusionNAGError then says what to write.
    """

    def objective(trial: Trial) -> float | tuple[float, ...]:
        try:
            # Optuna asks the sampler here, not before.
            parameters = suggest_parameters(trial, space)
        except BaseException:
            trial.set_user_attr(INTERRUPTED, True)
            raise
        try:
            architecture = note_architecture(trial, space, parameters)
            measured = ask(measure, architecture, trial)
            if isinstance(measured, Sequence):
                return tuple(_finite(value) for value in measured)
            if not isinstance(measured, Mapping):
                return _finite(measured)
            metrics = {name: float(value) for name, value in measured.items()}
            if not objectives or not metrics.keys() >= set(objectives):
                raise MissingValueError(
                    f"{', '.join(metrics) or 'nothing'} was measured by name; say which of it is "
                    f"searched for: objectives={list(metrics)}"
                )
            values = tuple(_finite(metrics[name], name) for name in objectives)
            trial.set_user_attr(METRICS, metrics)
            for constraint in constraints:
                excess = _finite(constraint.excess(metrics), constraint.name)
                trial.set_constraint(constraint.describe(), excess)
        except KeyboardInterrupt:
            trial.set_user_attr(INTERRUPTED, True)
            raise
        except TrialPruned:
            raise
        except MissingValueError as error:
            if _has_measured(trial.study):
                trial.set_user_attr(FAILURE, str(error))
                raise
            trial.set_user_attr(INTERRUPTED, True)
            raise DiffusionNAGError(str(error)) from error
        except (Exception, SystemExit) as error:
            reason = f"{error}" or type(error).__name__
            if isinstance(error, SystemExit):
                reason = f"it called sys.exit({error.code!r})"
            trial.set_user_attr(FAILURE, reason)
            raise MeasurementError(reason) from error
        return values

    return objective


def _has_measured(study: Study) -> bool:
    return any(trial.state == TrialState.COMPLETE for trial in study.get_trials(deepcopy=False))


def _finite(value: float, name: str = "the value") -> float:
    if not math.isfinite(value):
        raise MeasurementError(f"{name} is {value}")
    return float(value)
