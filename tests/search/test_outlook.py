"""What a search says at its end: its best by all that was measured, and whether better is left."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import Architecture, DiffusionNAGError, get_search_space
from diffusionnag.search import (
    ARCHITECTURE,
    DiffusionNAGSampler,
    SearchResult,
    optuna_objective,
    parameters_of,
    read_objective,
    search,
)
from diffusionnag.search.trials import distributions_of

SPACE = get_search_space("nasbench201")
EXAMPLES = Path(__file__).parents[2] / "examples"
LIKELY = 0.05
FIXED = {"0>1": "nor_conv_3x3", "0>2": "nor_conv_3x3"}
"""What is fixed where the best of 625 cells, which is the best of all, is the sooner known."""


def convolutions(architecture: Architecture) -> float:
    """Return how many operations of a cell are convolutions, the large ones counting more."""
    names = SPACE.operation_names(architecture)
    return names.count("nor_conv_3x3") + 0.5 * names.count("nor_conv_1x1")


def noisy(seed: int) -> Callable[[Architecture], float]:
    """Return what measures the same with noise of its own each time."""
    rng = np.random.default_rng(seed)
    return lambda cell: convolutions(cell) + 1.5 * rng.normal()


def searched(storage: str | None = None, *, trials: int = 120, workers: int = 1) -> SearchResult:
    return search(
        SPACE,
        evaluate=convolutions,
        trials=trials,
        until_improbable=LIKELY,
        storage=storage,
        workers=workers,
        strategy="mutation",
        fixed=FIXED,
    )


@pytest.mark.usefixtures("few_candidates")
def test_it_ends_when_nothing_better_is_likely_and_may_be_resumed(tmp_path: Path) -> None:
    storage = f"journal:{tmp_path}/study.log"
    result = searched(storage)
    assert result.exhausted
    assert result.improbable
    assert result.values.max() == 6
    assert result.outlook is not None
    assert result.outlook.chance_of_better < 2 * LIKELY
    assert result.outlook.architectures[0] == result.architectures[result.best[0]]
    assert result.outlook.means[0] == pytest.approx(6, abs=0.5)
    again = searched(storage)
    assert again.exhausted
    assert again.architectures[: len(result.measured)] == result.architectures


def test_a_space_that_is_at_its_end_says_nothing_of_chances() -> None:
    fixed = dict.fromkeys(["0>1", "0>2", "1>2", "0>3", "1>3"], "skip_connect")
    result = search(
        SPACE,
        evaluate=convolutions,
        trials=9,
        until_improbable=1e-9,
        strategy="mutation",
        fixed=fixed,
    )
    assert (len(result.measured), result.exhausted, result.improbable) == (5, True, False)


def test_workers_end_by_it_too() -> None:
    result = searched(workers=2)
    assert result.exhausted
    assert result.improbable
    assert result.values.max() == 6


def test_until_then_it_proposes_what_it_would_propose_anyway() -> None:
    usual = search(SPACE, evaluate=convolutions, trials=12, strategy="mutation", fixed=FIXED)
    assert searched(trials=12).architectures == usual.architectures


@pytest.mark.parametrize("sign", [1, -1])
def test_the_chance_falls_and_the_best_is_in_the_unit_of_the_objective(sign: int) -> None:
    def value(architecture: Architecture) -> float:
        return 100 + sign * convolutions(architecture)

    first, last = (
        search(SPACE, evaluate=value, trials=trials, minimize=sign < 0, strategy="mutation").outlook
        for trials in (6, 40)
    )
    assert first is not None
    assert last is not None
    assert first.chance_of_better > 0.5 > last.chance_of_better
    assert last.means[0] == pytest.approx(100 + sign * 6, abs=0.5)
    assert 0 <= last.deviations[0] < first.deviations[0]


@pytest.mark.usefixtures("few_candidates")
def test_of_noisy_values_it_names_one_that_is_truly_better_than_the_highest() -> None:
    gained = []
    for seed in range(6):
        result = search(SPACE, evaluate=noisy(seed), trials=25, strategy="random", seed=seed)
        assert result.outlook is not None
        highest = result.architectures[result.best[0]]
        gained.append(convolutions(result.outlook.architectures[0]) - convolutions(highest))
    assert np.mean(gained) > 0


def test_there_is_none_of_few_measurements_several_objectives_and_other_searchers() -> None:
    assert search(SPACE, evaluate=convolutions, trials=4).outlook is None
    assert search(SPACE, evaluate=convolutions, trials=8, searcher="rea").outlook is None
    both = search(
        SPACE,
        ["some", "others"],
        evaluate=lambda cell: {"some": convolutions(cell), "others": -convolutions(cell)},
        trials=6,
    )
    assert both.outlook is None


@pytest.mark.parametrize("chance", [0.0, 1.0, -0.1, math.nan])
def test_a_chance_lies_between_0_and_1(chance: float) -> None:
    with pytest.raises(DiffusionNAGError, match="between 0 and 1"):
        DiffusionNAGSampler(SPACE, strategy="mutation", until_improbable=chance)


@pytest.mark.usefixtures("few_candidates")
def test_the_command_says_it_in_two_lines(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(
        "def count(cell):\n    return float(sum(1 for each in cell.operations if each == 3))\n"
    )
    options = ("search", "nasbench201", "--objective", "python:count.py:count")
    own = ("--strategy", "mutation", "--until-improbable", 0.1)
    result = run_main(*options, "--trials", 100, *own)
    assert result.returncode == 0, result.stderr
    assert "it is improbable that something better is left" in result.stderr
    assert "best by what all measurements tell: the same" in result.stdout
    assert "chance that a better one is left: " in result.stdout
    refused = run_main(*options, "--trials", 10, "--until-improbable", 0.1, "--searcher", "rea")
    assert_fails(refused, 2, "has no option until-improbable")
    several = ("--objective", "python:count.py:count", "--objective", "params=min")
    assert_fails(run_main(*options[:2], *several, *own), 2, "is for one objective")


# -- where measuring is noisy ---------------------------------------------------------------------


@pytest.mark.usefixtures("few_candidates")
def test_noisy_it_measures_promising_ones_again() -> None:
    result = search(SPACE, evaluate=noisy(1), trials=40, strategy="mutation", noisy=True)
    times = Counter(result.architectures)
    assert len(set(result.architectures[:5])) == 5
    assert 20 <= len(times) < 40
    assert result.outlook is not None
    assert sorted(result.outlook.architectures, key=str) == sorted(times, key=str)
    assert (np.diff(result.outlook.means) <= 0).all()
    # What was measured more often is known better.
    known = dict(zip(result.outlook.architectures, result.outlook.deviations, strict=True))
    repeated = [known[architecture] for architecture, count in times.items() if count > 1]
    assert np.mean(repeated) < np.mean(list(known.values()))


def test_noisy_workers_never_measure_the_same_at_once() -> None:
    study = optuna.create_study(
        sampler=DiffusionNAGSampler(SPACE, strategy="mutation", noisy=True), direction="maximize"
    )
    objective = optuna_objective(SPACE, noisy(1))
    study.optimize(objective, 15)
    for _ in range(6):
        study.ask({**distributions_of(SPACE)})
    assert len({trial.user_attrs[ARCHITECTURE] for trial in study.trials[15:]}) == 6


def test_a_repeated_training_has_another_seed(tmp_path: Path) -> None:
    space = get_search_space(str(EXAMPLES / "tabular_mlp.yaml"))
    data = "training:sklearn:breast_cancer,epochs=1,subset=60"
    trained = read_objective(f"{data},out={tmp_path}", space)
    (architecture,) = space.sample(1, 0)
    study = optuna.create_study(direction="maximize")
    objective = optuna_objective(space, trained, ["accuracy"])
    for _ in range(2):
        study.enqueue_trial(parameters_of(space, architecture))
    study.optimize(objective, 2)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"acquisition": "UCB"}, "is EI, not UCB"),
        ({"objectives": ["some", "others"]}, "noisy is for one objective"),
        ({"searcher": "rea"}, "has no option noisy"),
    ],
)
def test_noisy_goes_with_its_own_acquisition_function(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        search(SPACE, evaluate=convolutions, trials=6, noisy=True, **options)


@pytest.mark.usefixtures("few_candidates")
def test_the_command_ranks_by_all_measurements(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(
        "import random\n\n\ndef count(cell):\n"
        "    return sum(each == 3 for each in cell.operations) + random.gauss(0, 1)\n"
    )
    options = ("--objective", "python:count.py:count", "--trials", 25, "--strategy", "mutation")
    result = run_main("search", "nasbench201", *options, "--noisy", "--out", "all.csv")
    assert result.returncode == 0, result.stderr
    assert re.search(r"give or take +times", result.stdout)
    assert re.search(r"by all 25 measurements of \d+ architectures", result.stdout)
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 26
