"""Search: what is proposed, what is never proposed twice, and studies that go on after anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
import pytest
import torch
from commands import Command
from conftest import RunCli, wait_for
from optuna.trial import FrozenTrial, TrialState

from diffusionnag import Architecture, DiffusionNAGError, Generator, get_search_space
from diffusionnag.guidance import limit
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.search import (
    ACQUISITIONS,
    ARCHITECTURE,
    STRATEGIES,
    ArchitectureSampler,
    DiffusionNAGSampler,
    Measured,
    MeasurementError,
    Proposer,
    architecture_of,
    optuna_objective,
    parameters_of,
    suggest_architecture,
)
from diffusionnag.search.baselines._random_search import RandomSearch
from diffusionnag.search.proposers import acquire
from diffusionnag.search.proposers._acquisition import improvement_beyond
from diffusionnag.search.sampler import WARM_UP
from diffusionnag.search.study import count_finished, open_study, run_study
from diffusionnag.search.trials import worst_case

SPACE = get_search_space("nasbench201")
PHONE = get_search_space("mobilenetv3")
HIDDEN = SPACE.parse(
    "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
)

optuna.logging.set_verbosity(optuna.logging.ERROR)


def agreement(architecture: Architecture) -> float:
    """How many of six operations are those of a hidden cell; a random cell has one or two."""
    pairs = zip(architecture.operations, HIDDEN.operations, strict=True)
    return float(sum(operation == other for operation, other in pairs) - 2)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.from_pretrained("nasbench201")


def studied(
    sampler: optuna.samplers.BaseSampler,
    trials: int,
    measure: Callable[[Architecture], float] = agreement,
    direction: Literal["maximize", "minimize"] = "maximize",
) -> optuna.Study:
    study = optuna.create_study(sampler=sampler, direction=direction)
    space = getattr(sampler, "search_space", SPACE)
    study.optimize(optuna_objective(space, measure), trials, catch=(MeasurementError,))
    return study


def names(trials: list[FrozenTrial]) -> list[str]:
    return [trial.user_attrs[ARCHITECTURE] for trial in trials]


# -- trials ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [SPACE, PHONE], ids=lambda space: space.name)
def test_parameters_and_architectures_are_one_to_one(space) -> None:
    for architecture in space.sample(50, seed=0):
        parameters = parameters_of(space, architecture)
        assert architecture_of(space, parameters) == architecture
        assert all(len(space.choices(space.nodes.index(node))) > 1 for node in parameters)


def test_parameters_read_like_the_space() -> None:
    assert parameters_of(SPACE, HIDDEN)["0>1"] == "nor_conv_3x3"
    assert "input" not in parameters_of(SPACE, HIDDEN)
    with pytest.raises(DiffusionNAGError, match="no parameter '0>1'"):
        architecture_of(SPACE, {})


# -- proposals ------------------------------------------------------------------------------------


def test_the_search_beats_random_by_far(generator: Generator) -> None:
    ours = studied(DiffusionNAGSampler(SPACE, generator=generator, candidates=32), 24)
    random = studied(optuna.samplers.RandomSampler(seed=0), 24)
    assert ours.best_value == 6
    assert random.best_value <= 4
    assert len(set(names(ours.trials))) == 24


def test_less_is_found_when_less_is_better(generator: Generator) -> None:
    sampler = DiffusionNAGSampler(SPACE, generator=generator, candidates=32)
    study = studied(sampler, 13, lambda architecture: -agreement(architecture), "minimize")
    upwards = studied(sampler, 13)
    assert names(study.trials) == names(upwards.trials)
    assert study.best_value == -upwards.best_value


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_every_strategy_and_acquisition_function(
    generator: Generator, strategy: str, acquisition: str
) -> None:
    proposer = Proposer(SPACE, generator, strategy, acquisition, candidates=32)
    cells = list(dict.fromkeys(SPACE.sample(40, seed=0)))
    measured = [Measured(cell, (agreement(cell),)) for cell in cells]
    proposed = proposer.propose(measured, set(cells), np.random.default_rng(0))
    assert SPACE.is_valid(proposed)
    assert proposed not in cells
    assert agreement(proposed) > np.mean([trial.values[0] for trial in measured])
    assert proposer.propose(measured, set(cells), np.random.default_rng(0)) == proposed


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_single_candidate_is_proposed(generator: Generator, strategy: str) -> None:
    proposer = Proposer(SPACE, generator, strategy, candidates=1)
    cells = list(dict.fromkeys(SPACE.sample(20, seed=0)))
    measured = [Measured(cell, (agreement(cell),)) for cell in cells]
    proposed = proposer.propose(measured, set(cells), np.random.default_rng(0))
    assert SPACE.is_valid(proposed)
    assert proposed not in cells


def test_acquisition_functions_rank_as_their_formulas() -> None:
    mean, std = np.array([0.0, 1.0, 0.9, -3.0]), np.array([1.0, 0.1, 0.6, 0.1])
    rng = np.random.default_rng(0)
    normal = rng.normal(size=200_000)
    drawn = mean + std * normal[:, None]
    gain = np.log(np.clip(drawn - 1.0, 0, None).mean(0)[:3])
    np.testing.assert_allclose(acquire("EI", mean, std, 1.0, rng)[:3], gain, atol=0.02)
    chance = np.log((drawn > 1.0).mean(0)[:3])
    np.testing.assert_allclose(acquire("PI", mean, std, 1.0, rng)[:3], chance, atol=0.02)
    np.testing.assert_allclose(acquire("UCB", mean, std, 1.0, rng), mean + 2 * std)
    thompson = np.array([acquire("ITS", mean, std, 1.0, rng) for _ in range(4_000)])
    np.testing.assert_allclose(thompson.mean(0), mean, atol=0.1)
    np.testing.assert_allclose(thompson.std(0), std, rtol=0.1)


def test_values_that_are_all_the_same_teach_nothing_and_stop_nothing() -> None:
    study = studied(DiffusionNAGSampler(SPACE, strategy="mutation"), 14, lambda _: 1.0)
    assert len(set(names(study.trials))) == 14


def test_networks_of_a_space_with_a_rule_are_valid() -> None:
    sampler = DiffusionNAGSampler(PHONE, seed=1, candidates=32)
    measure = read_params(PHONE)
    study = studied(sampler, 14, measure, "minimize")
    architectures = [PHONE.parse(name) for name in names(study.trials)]
    assert len(set(architectures)) == 14
    assert [architecture_of(PHONE, trial.params) for trial in study.trials] == architectures
    warm_up, proposed = np.split(np.array([trial.value for trial in study.trials]), [WARM_UP])
    assert proposed.mean() < warm_up.min()


def read_params(space) -> Callable[[Architecture], float]:
    return lambda architecture: space.analytic_properties(architecture)["params"]


def test_what_failed_or_was_pruned_is_left_alone(generator: Generator) -> None:
    calls: list[Architecture] = []

    def measure(architecture: Architecture) -> float:
        calls.append(architecture)
        if len(calls) % 3 == 0:
            raise ValueError("it did not train")
        if len(calls) % 4 == 0:
            raise optuna.TrialPruned
        return float("nan") if len(calls) == 1 else agreement(architecture)

    sampler = DiffusionNAGSampler(SPACE, generator=generator, candidates=32)
    study = studied(sampler, 24, measure)
    assert len(set(calls)) == len(calls) == 24
    assert study.trials[0].user_attrs["failure"] == "the value is nan"
    assert study.trials[2].user_attrs["failure"] == "it did not train"
    assert study.trials[3].state == TrialState.PRUNED


def test_trials_that_run_at_once_get_different_architectures() -> None:
    sampler = DiffusionNAGSampler(SPACE, strategy="mutation")
    study = studied(sampler, 12)
    running = [study.ask() for _ in range(8)]
    suggested = [suggest_architecture(trial, SPACE) for trial in running]
    assert len({*suggested, *map(SPACE.parse, names(study.trials[:12]))}) == 20


def test_what_resembles_a_running_one_gains_little_more() -> None:
    # Three candidates: the first is the running one's twin, the second as good, the third a bit worse.
    mean = np.array([1.0, 1.0, 1.0, 0.9])
    covariance = np.eye(4)
    covariance[0, 1] = covariance[1, 0] = 0.99
    rng = np.random.default_rng(0)
    alone = acquire("EI", mean[1:], np.full(3, np.sqrt(1.01)), 1.5, rng)
    beyond = improvement_beyond(mean, covariance, 0.01, 1.5, 1, rng)
    assert alone.argmin() == 2
    assert beyond.argmin() == 0
    assert (beyond < alone + 0.05).all()
    unrelated = improvement_beyond(mean - [9, 0, 0, 0], np.eye(4), 0.01, 1.5, 1, rng)
    np.testing.assert_allclose(unrelated, alone, atol=1e-6)


def test_running_ones_are_no_failures() -> None:
    # Of ten good cells that are still measured, the next resembles them as it does without workers.
    rng = np.random.default_rng(0)
    cells = sorted(SPACE.sample(300, seed=3), key=agreement)
    measured = [Measured(cell, (agreement(cell),)) for cell in cells[::8]]
    neighbours = [cell for cell in SPACE.neighbours(HIDDEN) if cell not in cells][:10]
    running = [worst_case(cell, measured) for cell in neighbours]
    proposer = Proposer(SPACE, strategy="mutation")
    told = [proposer.propose(measured + running, set(neighbours), rng) for _ in range(4)]
    assert min(map(agreement, told)) >= 4
    assert not {*told} & {*neighbours}


def test_a_whole_small_space_can_be_searched(generator: Generator) -> None:
    taken = set(SPACE.enumerate())
    last = taken.pop()
    proposer = Proposer(SPACE, generator)
    assert proposer.propose([], taken, np.random.default_rng(0)) == last
    with pytest.raises(DiffusionNAGError, match="has been proposed"):
        proposer.propose([], taken | {last}, np.random.default_rng(0))


# -- studies --------------------------------------------------------------------------------------


def stored(path: Path, trials: int) -> optuna.Study:
    sampler = DiffusionNAGSampler(SPACE, strategy="mutation+random")
    study = open_study(sampler, "agreement", storage=f"sqlite:///{path}")
    run_study(study, sampler, optuna_objective(SPACE, agreement), trials)
    return study


def test_a_study_that_goes_on_is_the_one_that_never_stopped(tmp_path: Path) -> None:
    stored(tmp_path / "parts.db", 10)
    parts = stored(tmp_path / "parts.db", 20)
    sampler = DiffusionNAGSampler(SPACE, strategy="mutation+random")
    whole = studied(sampler, 20)
    assert len(parts.trials) == 20
    assert names(parts.trials) == names(whole.trials)
    assert len(set(names(parts.trials))) == 20
    assert len(stored(tmp_path / "parts.db", 15).trials) == 20
    other = DiffusionNAGSampler(SPACE, strategy="mutation+random", seed=1)
    assert names(studied(other, 1).trials) != names(whole.trials)[:1]


def test_an_interrupted_trial_counts_as_never_begun(tmp_path: Path) -> None:
    sampler = DiffusionNAGSampler(SPACE, strategy="mutation")
    study = open_study(sampler, "agreement", storage=f"sqlite:///{tmp_path / 'study.db'}")
    calls: list[Architecture] = []

    def interrupted(architecture: Architecture) -> float:
        calls.append(architecture)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return agreement(architecture)

    with pytest.raises(KeyboardInterrupt):
        run_study(study, sampler, optuna_objective(SPACE, interrupted), 12)
    run_study(study, sampler, optuna_objective(SPACE, interrupted), 12)
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert len(complete) == 12
    assert calls[5] == calls[4]
    assert len(set(calls)) == 12


@pytest.mark.parametrize("kind", [DiffusionNAGError, ZeroDivisionError, AssertionError])
def test_a_proposer_that_fails_ends_the_search(kind: type[Exception]) -> None:
    class Fails:
        def propose(
            self,
            measured: Sequence[Measured],
            taken: Collection[Architecture],
            rng: np.random.Generator,
        ) -> Architecture:
            raise kind("nothing to propose")

    sampler = ArchitectureSampler(SPACE, Fails(), warm_up=2)
    study = open_study(sampler, "agreement")
    with pytest.raises(kind, match="nothing to propose"):
        run_study(study, sampler, optuna_objective(SPACE, agreement), 6)
    assert count_finished(study) == 2 == len(study.trials) - 1
    other = ArchitectureSampler(SPACE, RandomSearch(SPACE), warm_up=2)
    study.sampler = other
    run_study(study, other, optuna_objective(SPACE, agreement), 6)
    assert count_finished(study) == 6 == len(study.trials) - 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_killed_trial_is_measured_in_the_end(tmp_path: Path) -> None:
    study = stored(tmp_path / "study.db", 12)
    killed = suggest_architecture(study.ask(), SPACE)
    # What Optuna does once the signs of life have stopped.
    trial = study.trials[-1]
    study.tell(trial.number, state=TrialState.FAIL)
    optuna.storages.RetryHeartbeatStaleTrialCallback()(study, study.trials[-1])
    study = stored(tmp_path / "study.db", 14)
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert names(complete).count(SPACE.format(killed)) == 1
    assert len(set(names(complete))) == len(complete) == 14


SLOW = """
import time

def agreement(architecture):
    with open("calls.txt", "a") as file:
        file.write(f"{architecture.operations}\\n")
    time.sleep(0.05)
    return float(sum(architecture.operations))
"""


def test_a_killed_search_goes_on(tmp_path: Path, run_cli: RunCli) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    options = ["--objective", "python:slow.py:agreement", "--strategy", "mutation"]
    options += ["--storage", "sqlite:///study.db", "--study", "slow"]
    command = ["search", "nasbench201", *options, "--trials"]
    calls = tmp_path / "calls.txt"
    process = Command([*command, "1000"], tmp_path)
    wait_for(lambda: calls.exists() and len(calls.read_text().splitlines()) >= 13, process)
    process.kill()
    process.wait()
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    before = {
        trial.number: trial.value
        for trial in optuna.load_study(study_name="slow", storage=storage).trials
        if trial.state == TrialState.COMPLETE
    }
    assert len(before) >= 12
    trials = len(before) + 4
    result = run_cli(*command, trials)
    assert result.returncode == 0, result.stderr
    assert f"resumed with {len(before)} finished trials" in result.stderr
    after = [
        trial
        for trial in optuna.load_study(study_name="slow", storage=storage).trials
        if trial.state == TrialState.COMPLETE
    ]
    assert len(after) == trials == len(set(names(after)))
    assert {trial.number: trial.value for trial in after}.items() >= before.items()
    # Only the one that was being measured may be measured again, once Optuna knows that it died.
    measured = calls.read_text().splitlines()
    assert len(measured) - len(set(measured)) <= 1


def test_a_proposal_takes_one_thread_and_leaves_the_others_to_the_user() -> None:
    threads = []

    class Counts:
        def propose(
            self,
            measured: Sequence[Measured],
            taken: Collection[Architecture],
            rng: np.random.Generator,
        ) -> Architecture:
            threads.append(torch.get_num_threads())
            return HIDDEN

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        sampler = ArchitectureSampler(SPACE, Counts(), warm_up=1)
        study = optuna.create_study(sampler=sampler)
        study.optimize(lambda trial: agreement(suggest_architecture(trial, SPACE)), n_trials=2)
        assert (threads, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)


def test_what_limits_keep_from_draws_is_measured_as_well() -> None:
    space = get_search_space("gpt2")
    latency = PropertyPredictor.from_pretrained("latency:rtx2080", search_space=space)
    fast = limit(latency, at_most=33.3)
    drawn = space.sample(200, seed=0)
    kept = [shape for shape in drawn if fast.shortfall([shape])[0] <= 0]
    assert {space.operation_names(shape)[0] for shape in kept} == {"192"}
    sampler = DiffusionNAGSampler(space, limits=[fast], seed=2)
    study = optuna.create_study(sampler=sampler)
    study.optimize(optuna_objective(space, lambda shape: 0.0), 2)
    measured = [space.parse(trial.user_attrs[ARCHITECTURE]) for trial in study.trials]
    assert "384" in {space.operation_names(shape)[0] for shape in measured}
    assert (fast.shortfall(measured) <= 0).all()
