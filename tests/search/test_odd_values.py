"""Values that a study may hold though no model can learn from them: infinite ones and NaN."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal

import optuna
import pytest

from diffusionnag import Architecture, get_search_space
from diffusionnag.search import (
    SEARCHERS,
    DiffusionNAGSampler,
    new_searcher,
    recorded_architecture,
    suggest_architecture,
)

SPACE = get_search_space("nasbench201")
pytestmark = pytest.mark.usefixtures("few_candidates")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def params(architecture: Architecture) -> float:
    return SPACE.analytic_properties(architecture)["params"]


def run(
    sampler: optuna.samplers.BaseSampler,
    odd: Sequence[float],
    directions: Sequence[Literal["minimize", "maximize"]] = ("minimize",),
    trials: int = 13,
) -> optuna.Study:
    """Optimise the size, the first trials having odd values."""
    study = optuna.create_study(sampler=sampler, directions=list(directions))

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        size = params(suggest_architecture(trial, SPACE))
        first = odd[trial.number] if trial.number < len(odd) else size
        return (first, size)[: len(directions)]

    study.optimize(objective, trials)
    return study


def distinct(study: optuna.Study) -> int:
    return len({recorded_architecture(SPACE, trial) for trial in study.trials})


@pytest.mark.parametrize("name", SEARCHERS)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_infinite_values_stop_no_searcher(
    name: str, direction: Literal["minimize", "maximize"]
) -> None:
    study = run(new_searcher(name, SPACE), [1.0, math.inf, -math.inf], [direction])
    assert distinct(study) == len(study.trials) == 13


def test_infinite_values_are_told_of_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(DiffusionNAGSampler(SPACE, strategy="mutation"), [math.inf, math.inf])
    told = [str(warning.message) for warning in caught if "infinite" in str(warning.message)]
    assert len(told) == 1


def test_an_infinite_loss_is_worse_than_all_others() -> None:
    study = run(DiffusionNAGSampler(SPACE, strategy="mutation"), [math.inf] * 5, trials=20)
    sizes = [trial.value for trial in study.trials[5:]]
    assert min(sizes[-5:]) < min(sizes[:5])  # type: ignore[type-var]


def test_one_of_several_objectives_and_a_constraint_may_be_infinite() -> None:
    study = optuna.create_study(
        sampler=DiffusionNAGSampler(SPACE, strategy="mutation+random"),
        directions=["minimize", "maximize"],
    )

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        size = params(suggest_architecture(trial, SPACE))
        trial.set_constraint("size", math.inf if trial.number % 3 == 0 else size - 0.5)
        return (math.inf if trial.number == 2 else size, -math.inf if trial.number == 3 else size)

    study.optimize(objective, 12)
    assert distinct(study) == 12
