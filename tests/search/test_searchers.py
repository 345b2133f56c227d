"""The searchers that the library's own is compared with: what all of them keep to, and what each does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
import pytest
import torch
from conftest import RunCli, assert_fails
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from diffusionnag import Architecture, SearchSpace, get_search_space
from diffusionnag.errors import SpaceExhaustedError
from diffusionnag.search import (
    ARCHITECTURE,
    SEARCHERS,
    Measured,
    MeasurementError,
    new_searcher,
    optuna_objective,
    suggest_architecture,
)
from diffusionnag.search.baselines._bananas import PathEncoding, bananas
from diffusionnag.search.baselines._gp_ucb import gp_ucb
from diffusionnag.search.baselines._nas_bowl import nas_bowl
from diffusionnag.search.baselines._regularised_evolution import RegularisedEvolution
from diffusionnag.search.baselines._reinforce import Reinforce
from diffusionnag.search.study import open_study, run_study
from diffusionnag.tables import known_tables

SPACE = get_search_space("nasbench201")
WARM_UP = 10
TRIALS = 12
WITH_A_MODEL = ("bananas", "gp-ucb", "nas-bowl", "tpe", "optuna-gp")

optuna.logging.set_verbosity(optuna.logging.ERROR)
pytestmark = pytest.mark.usefixtures("few_candidates")
every_searcher = pytest.mark.parametrize("name", SEARCHERS)


class Tiny(SearchSpace):
    """Four layers of two kinds, of which at most two may be pools."""

    name = "tiny"
    nodes = ("one", "two", "three", "four")
    operations = ("conv", "pool")
    edges = ((0, 1), (1, 2), (2, 3))

    def rule(self, operations) -> str | None:
        """At most two layers may be pools."""
        return "more than two layers are pools" if operations.count("pool") > 2 else None


def convolutions(architecture: Architecture) -> float:
    """How many operations are 3x3 convolutions, and half as much for the 1x1 ones."""
    names = SPACE.operation_names(architecture)
    return names.count("nor_conv_3x3") + 0.5 * names.count("nor_conv_1x1")


def studied(
    name: str,
    trials: int,
    measure: Callable[[Architecture], float] = convolutions,
    *,
    seed: int = 0,
    direction: Literal["maximize", "minimize"] = "maximize",
    space: SearchSpace = SPACE,
) -> optuna.Study:
    study = optuna.create_study(sampler=new_searcher(name, space, seed=seed), direction=direction)
    study.optimize(optuna_objective(space, measure), trials, catch=(MeasurementError,))
    return study


@functools.cache
def usual(name: str) -> optuna.Study:
    return studied(name, TRIALS)


def proposed(study: optuna.Study, space: SearchSpace = SPACE) -> list[Architecture]:
    return [space.parse(trial.user_attrs[ARCHITECTURE]) for trial in study.trials]


def differences(cell: Architecture, other: Architecture) -> int:
    return sum(a != b for a, b in zip(cell.operations, other.operations, strict=True))


# -- what all of them keep to ---------------------------------------------------------------------


@every_searcher
def test_nothing_is_proposed_twice_and_the_seed_decides(name: str) -> None:
    first = proposed(usual(name))
    assert len(set(first)) == TRIALS
    assert first == proposed(studied(name, TRIALS)) != proposed(studied(name, TRIALS, seed=1))


@every_searcher
def test_less_of_the_opposite_is_more(name: str) -> None:
    downwards = studied(name, TRIALS, lambda cell: -convolutions(cell), direction="minimize")
    assert proposed(downwards) == proposed(usual(name))


@every_searcher
def test_a_stored_study_goes_on_as_if_it_had_never_stopped(name: str, tmp_path: Path) -> None:
    for trials in (7, 11, TRIALS):
        sampler = new_searcher(name, SPACE)
        stored = open_study(sampler, "cells", storage=f"journal:{tmp_path / 'study.log'}")
        run_study(stored, sampler, optuna_objective(SPACE, convolutions), trials)
    assert proposed(stored) == proposed(usual(name))


@every_searcher
def test_what_fails_or_is_missing_stops_nothing(name: str) -> None:
    calls: list[Architecture] = []

    def measure(architecture: Architecture) -> float:
        calls.append(architecture)
        if len(calls) % 4 == 0:
            raise MeasurementError("the table has no value of this architecture")
        return float("nan") if len(calls) % 7 == 0 else convolutions(architecture)

    study = studied(name, 18, measure)
    assert len(set(calls)) == len(calls) == 18
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    assert len(complete) == 18 - 4 - 2
    assert study.trials[3].user_attrs["failure"] == "the table has no value of this architecture"


@every_searcher
def test_values_that_are_all_the_same_stop_nothing(name: str) -> None:
    assert len(set(proposed(studied(name, TRIALS, lambda _: 1.0)))) == TRIALS


@every_searcher
def test_trials_that_run_at_once_get_different_architectures(name: str) -> None:
    study = studied(name, 11)
    running = [suggest_architecture(study.ask(), SPACE) for _ in range(3)]
    assert len({*running, *proposed(study)}) == 14


@pytest.mark.parametrize("name", [name for name in SEARCHERS if name != "diffusionnag"])
def test_a_space_with_a_rule_is_searched_to_its_end(name: str) -> None:
    space = Tiny()
    study = studied(name, 11, lambda architecture: float(sum(architecture.operations)), space=space)
    assert set(proposed(study, space)) == set(space.enumerate())
    with pytest.raises(SpaceExhaustedError, match="every architecture of tiny"):
        study.optimize(optuna_objective(space, lambda _: 0.0), 1)


@pytest.fixture(scope="module")
def accuracies(data_folder: Path) -> dict[Architecture, float]:
    """The measured CIFAR-100 accuracy of every cell, in %."""
    table = known_tables(SPACE.name)["nasbench201_accuracy"]()
    cells = map(SPACE.parse, table.architectures)
    return dict(zip(cells, table.column("cifar100_test_200ep").tolist(), strict=True))


# -- against random search, on the measured accuracies ---------------------------------------------


@pytest.mark.parametrize("name", WITH_A_MODEL)
def test_a_model_beats_random_search_at_equal_budget(
    name: str, accuracies: dict[Architecture, float]
) -> None:
    # Its proposals are cheap, and differ more from seed to seed.
    trials, seeds = (30, range(4)) if name == "tpe" else (24, range(2))
    everything = np.array(list(accuracies.values()))
    rng = np.random.default_rng(0)
    random = np.array([rng.choice(everything, trials, replace=False) for _ in range(2_000)])
    searches = [
        np.array([accuracies[cell] for cell in proposed(study)])
        for study in (studied(name, trials, accuracies.__getitem__, seed=seed) for seed in seeds)
    ]
    assert np.mean([values.max() for values in searches]) > random.max(1).mean()
    # What it proposes is better by three standard errors of what random search proposes.
    chance = random[:, WARM_UP:].mean(1)
    margin = 3 * chance.std() / len(seeds) ** 0.5
    assert np.mean([values[WARM_UP:].mean() for values in searches]) > chance.mean() + margin


# -- what each of them does -------------------------------------------------------------------------


def test_regularised_evolution_mutates_its_living_population() -> None:
    proposals = proposed(studied("rea", 40))
    for place in range(WARM_UP, 40):
        living = proposals[place - WARM_UP : place]
        assert min(differences(proposals[place], parent) for parent in living) == 1


def test_regularised_evolution_lets_the_oldest_die() -> None:
    best = SPACE.build(["input", *["nor_conv_3x3"] * 6, "output"])
    far = [cell for cell in SPACE.sample(100, seed=0) if differences(cell, best) > 4]
    later = [Measured(cell, (0.0,)) for cell in far[:WARM_UP]]
    evolution = RegularisedEvolution(SPACE)

    def nearest(measured: list[Measured]) -> int:
        """How near 40 children come to the best architecture."""
        children = [
            evolution.propose(measured, set(), np.random.default_rng(seed)) for seed in range(40)
        ]
        return min(differences(child, best) for child in children)

    assert nearest([Measured(best, (9.0,)), *later[1:]]) == 1
    assert nearest([Measured(best, (9.0,)), *later]) >= 4


def test_local_search_walks_to_a_local_optimum(accuracies: dict[Architecture, float]) -> None:
    study = studied("local-search", 150, accuracies.__getitem__)
    proposals = proposed(study)
    centre = max(proposals[:WARM_UP], key=accuracies.__getitem__)
    place = WARM_UP
    while True:
        around = list(SPACE.neighbours(centre))
        new = [cell for cell in around if cell not in proposals[:place]]
        # All neighbours are measured before it moves, and to the best of them.
        assert set(proposals[place : place + len(new)]) == set(new)
        place += len(new)
        best = max(around, key=accuracies.__getitem__)
        if accuracies[best] <= accuracies[centre]:
            break
        centre = best
    # No neighbour of where it stands is better; from there it starts anew, with a uniform draw.
    assert place < 150
    assert differences(proposals[place], centre) > 1


def test_the_policy_of_reinforce_shifts_to_what_is_rewarded() -> None:
    study = studied("reinforce", 200)
    proposals = proposed(study)
    measured = [Measured(cell, (convolutions(cell),)) for cell in proposals]
    policy = Reinforce(SPACE)
    rewarded, poor = (SPACE.operations.index(name) for name in ("nor_conv_3x3", "avg_pool_3x3"))
    free = SPACE.allowed.sum(1) > 1
    np.testing.assert_allclose(policy.policy([])[free][:, rewarded], 1 / 5)
    learnt = policy.policy(measured)
    np.testing.assert_allclose(learnt.sum(1), 1)
    assert (learnt[free][:, rewarded] > 1 / 5).all()
    assert learnt[free][:, poor].mean() < 1 / 5 < 0.4 < learnt[free][:, rewarded].mean()
    values = [trial.value for trial in measured]
    # Of six operations; the spread of a mean of 50 is a sixth.
    assert np.mean(values[-50:]) > np.mean(values[:50]) + 0.5


def open_paths(cell: Architecture) -> set[tuple[str, ...]]:
    """The sequences of operations from input to output, by the edges of the benchmark's cell."""
    edge = dict(zip(SPACE.nodes, SPACE.operation_names(cell), strict=True))
    ways = (("0>3",), ("0>1", "1>3"), ("0>2", "2>3"), ("0>1", "1>2", "2>3"))
    sequences = {tuple(edge[name] for name in way) for way in ways}
    return {sequence for sequence in sequences if "none" not in sequence}


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_the_path_encoding_is_the_set_of_open_paths(seed: int, change: int) -> None:
    cells = [SPACE.sample(1, seed)[0], SPACE.sample(1, change)[0]]
    cells.append(SPACE.mutate(cells[0], change))
    encoded = PathEncoding(SPACE)(torch.from_numpy(SPACE.encode(cells)))
    # Four operations let something through, along one, two or three edges.
    assert encoded.shape == (3, 4 + 4**2 + 4**3)
    assert encoded.sum(1).tolist() == [len(open_paths(cell)) for cell in cells]
    for row in (1, 2):
        same = open_paths(cells[0]) == open_paths(cells[row])
        assert torch.equal(encoded[0], encoded[row]) == same


def test_bananas_is_unsure_where_it_has_not_looked() -> None:
    cells = list(dict.fromkeys(SPACE.sample(60, seed=0)))
    values = np.array([convolutions(cell) for cell in cells])
    ensemble = bananas(SPACE).surrogate(SPACE).fit(cells[:20], values[:20], seed=0)
    x = torch.from_numpy(SPACE.encode(cells))
    with torch.no_grad():
        mean, std = ensemble.distribution(x)
    assert std[20:].mean() > 2 * std[:20].mean()
    assert np.corrcoef(mean[20:].numpy(), values[20:])[0, 1] > 0.5


def test_nas_bowl_judges_isomorphic_cells_alike_and_gp_ucb_does_not() -> None:
    cells = list(dict.fromkeys(SPACE.sample(40, seed=0)))
    alike = [
        SPACE.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|avg_pool_3x3~1|none~2|"),
        SPACE.parse("|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|avg_pool_3x3~2|"),
    ]
    x = torch.from_numpy(SPACE.encode(alike)).double()
    spread = {}
    for proposer in (nas_bowl, gp_ucb):
        values = np.array([convolutions(cell) for cell in cells])
        surrogate = proposer(SPACE).surrogate(SPACE).fit(cells, values, seed=0)
        with torch.no_grad():
            mean, std = surrogate.distribution(x)
        spread[proposer] = float((mean[0] - mean[1]).abs() + (std[0] - std[1]).abs())
    assert spread[nas_bowl] < 1e-9 < 1e-3 < spread[gp_ucb]


@pytest.mark.parametrize("name", ["tpe", "optuna-gp"])
def test_the_samplers_of_optuna_leave_its_log_as_it_was(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        studied(name, 12)
        assert optuna.logging.get_verbosity() == optuna.logging.WARNING
    finally:
        optuna.logging.set_verbosity(before)
    assert capfd.readouterr().err == ""


# -- by name --------------------------------------------------------------------------------------


def test_every_searcher_runs_from_the_command_line(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(
        "def count(architecture):\n    return float(sum(architecture.operations))\n"
    )
    for name in SEARCHERS:
        options = ("--objective", "python:count.py:count", "--trials", 11, "--searcher", name)
        result = run_main("search", "nasbench201", *options)
        assert result.returncode == 0, result.stderr
        assert "found by measurement" in result.stdout


WRONG = {
    "name": ("--searcher gp_ucb", "no searcher named 'gp_ucb'; did you mean gp-ucb?"),
    "option": ("--searcher rea --strategy random", "the searcher rea has no option strategy"),
    "limit": ("--searcher tpe --limit params<=1", "the searcher tpe has no option limits"),
    "objectives": ("--searcher bananas --objective params", "the study has more"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_searcher_cannot_do_is_one_line(run_main: RunCli, tmp_path: Path, case: str) -> None:
    (tmp_path / "count.py").write_text("def count(architecture):\n    return {'count': 1.0}\n")
    options, message = WRONG[case]
    result = run_main(
        "search", "nasbench201", "--objective", "python:count.py:count", *options.split()
    )
    assert_fails(result, 2, message)
