"""Training as what a search measures: pruned by epoch, resumed, and paid for in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import optuna
import pytest
from commands import Command
from conftest import RunCli, assert_fails, wait_for
from test_architecture_training import KEEN, SPACE, write_images

from diffusionnag import DiffusionNAGError
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.search import (
    ARCHITECTURE,
    METRICS,
    PRUNERS,
    DiffusionNAGSampler,
    new_pruner,
    new_searcher,
    optuna_objective,
    parameters_of,
    read_objective,
    suggest_architecture,
)
from diffusionnag.search.trials import distributions_of
from diffusionnag.spaces import Architecture, get_search_space

QUICK = "resolution=8,batch_size=12"
LEARNING = """
import optuna

def accuracy(architecture, trial):
    final = sum(architecture.operations)
    for epoch in range(1, 10):
        trial.report(final - 10 / epoch, epoch)
        if epoch < 9 and trial.should_prune():
            raise optuna.TrialPruned
    return final
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images.parquet")


def one_trial(objective: str, pruner: optuna.pruners.BasePruner) -> optuna.trial.FrozenTrial:
    """Return the only trial of a study of an objective."""
    sampler = new_searcher("random", SPACE)
    study = optuna.create_study(sampler=sampler, pruner=pruner, direction="maximize")
    measure = read_objective(f"training:{objective}", SPACE)
    study.optimize(optuna_objective(SPACE, measure, ["accuracy"]), 1)
    return study.trials[0]


def test_a_trial_is_told_of_each_epoch(images: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    trial = one_trial(f"{images},{QUICK},epochs=3,out={kept}", optuna.pruners.NopPruner())
    assert list(trial.intermediate_values) == [1, 2, 3]
    assert trial.values == [trial.intermediate_values[3]]
    assert trial.user_attrs[METRICS]["train_seconds"] > 0
    (folder,) = kept.iterdir()
    assert json.loads((folder / "metrics.json").read_text())["metrics"]["accuracy"] == trial.value
    again = one_trial(f"{images},{QUICK},epochs=3,out={kept}", optuna.pruners.NopPruner())
    assert (again.values, again.intermediate_values) == (trial.values, {})


def test_a_pruned_training_stops_and_costs_what_it_took(images: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    never_enough = optuna.pruners.ThresholdPruner(lower=101)
    trial = one_trial(f"{images},{QUICK},epochs=3,out={kept}", never_enough)
    assert trial.state == optuna.trial.TrialState.PRUNED
    assert list(trial.intermediate_values) == [1]
    assert trial.user_attrs[METRICS]["train_seconds"] > 0
    (folder,) = kept.iterdir()
    assert not (folder / STATE_FILE).exists()
    assert not (folder / "metrics.json").exists()


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "none"])
def test_what_is_pruned_was_behind_and_is_not_proposed_again(name: str, tmp_path: Path) -> None:
    (tmp_path / "learning.py").write_text(LEARNING)
    scope: dict[str, object] = {}
    exec(LEARNING, scope)
    sampler = new_searcher("random", SPACE)
    study = optuna.create_study(sampler=sampler, pruner=new_pruner(name), direction="maximize")
    study.optimize(optuna_objective(SPACE, scope["accuracy"]), 60)  # type: ignore[arg-type]
    texts = [trial.user_attrs[ARCHITECTURE] for trial in study.trials]
    assert len(set(texts)) == 60
    finals = {
        state: [sum(SPACE.parse(trial.user_attrs[ARCHITECTURE]).operations) for trial in trials]
        for state in (optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.COMPLETE)
        if (trials := study.get_trials(states=(state,)))
    }
    pruned, complete = finals.values()
    assert sum(pruned) / len(pruned) < sum(complete) / len(complete)
    assert max(pruned) <= max(complete)


def test_a_function_without_a_place_for_the_trial_gets_none() -> None:
    def size(architecture: Architecture) -> float:
        return SPACE.analytic_properties(architecture)["params"]

    study = optuna.create_study(sampler=new_searcher("random", SPACE))
    study.optimize(optuna_objective(SPACE, size), 1)
    assert study.best_value > 0


# -- the command ----------------------------------------------------------------------------------


def search(objective: str, *options: object) -> tuple[str, ...]:
    command = ("search", "nasbench201", "--searcher", "random", "--objective", objective)
    return (*command, *map(str, options))


def test_search_trains_and_says_what_it_cost(images: Path, run_main: RunCli) -> None:
    objective = f"training:{images},{QUICK},epochs=2"
    result = run_main(*search(objective, "--trials", 2, "--pruner", "hyperband"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("cost: train_seconds ")
    assert "found by measurement" in result.stdout
    both = ("--objective", "train_seconds=min", "--trials", 2, "--searcher", "diffusionnag")
    result = run_main(*search(f"{objective},seed=1", *both))
    assert result.returncode == 0, result.stderr
    assert "on the front: " in result.stdout


def test_search_prunes_a_function_of_the_user(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "learning.py").write_text(LEARNING)
    options = ("--trials", 30, "--pruner", "asha", "--storage", "search.log")
    result = run_main(*search("python:learning.py:accuracy", *options))
    assert result.returncode == 0, result.stderr
    assert "trials were pruned" in result.stderr
    assert "gave no value" not in result.stderr


def test_a_killed_training_goes_on(images: Path, tmp_path: Path, run_cli: RunCli) -> None:
    def command(name: str) -> tuple[str, ...]:
        objective = f"training:{images},{QUICK},epochs=4,out={name}"
        options = ("--trials", 1, "--storage", f"sqlite:///{name}.db", "--out", f"{name}.jsonl")
        return search(objective, *options)

    process = Command([*command("killed")], tmp_path, KEEN)
    wait_for(lambda: any((tmp_path / "killed").glob(f"*/{STATE_FILE}")), process)
    process.kill()
    process.wait()
    for name in ("killed", "undisturbed"):
        result = run_cli(*command(name))
        assert result.returncode == 0, result.stderr
        assert ("resuming from step" in result.stderr) == (name == "killed")
    killed, undisturbed = (
        json.loads((tmp_path / f"{name}.jsonl").read_text()) for name in ("killed", "undisturbed")
    )
    assert killed["architecture"] == undisturbed["architecture"]
    assert killed["properties"]["accuracy"] == undisturbed["properties"]["accuracy"]


@pytest.mark.parametrize(
    ("objective", "options", "message"),
    [
        ("training:", (), "should read like"),
        ("training:missing", (), "no missing"),
        ("training:images.parquet,colour=red", (), "no option 'colour'; known: test, epochs"),
        ("training:images.parquet,epochs=many", (), "'epochs=many' is no number"),
        ("training:images.parquet,epochs=0", (), "epochs is 0"),
        ("training:images.parquet,device=tpu", (), "no device 'tpu'"),
        ("training:images.parquet", ("--pruner", "asah"), "did you mean asha?"),
        ("table:nasbench201_accuracy:cifar10_test_200ep", ("--pruner", "asha"), "a pruner is for"),
        (
            f"training:images.parquet,{QUICK}",
            ("--objective", "train_seconds=min", "--pruner", "median"),
            "a pruner is for one objective",
        ),
    ],
)
@pytest.mark.usefixtures("images", "data_folder")
def test_wrong_requests_are_one_line(
    run_main: RunCli, objective: str, options: tuple[str, ...], message: str
) -> None:
    assert_fails(run_main(*search(objective, *options)), 2, message)


def test_the_users_own_training_is_told_no_device(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def fit(module, budget):\n    return 1.0\n")
    objective = f"training:fit:{tmp_path / 'train.py'}:fit"
    assert read_objective(objective, SPACE)
    with pytest.raises(DiffusionNAGError, match="itself says where it trains"):
        read_objective(f"{objective},device=cpu:0", SPACE)


def test_what_pruned_trainings_reported_is_learnt_from() -> None:
    space = get_search_space("nasbench201")

    def middling(architecture: Architecture) -> float:
        return -abs(space.analytic_properties(architecture)["params"] - 0.6)

    def proposed(teaches: bool, seed: int) -> float:
        sampler = DiffusionNAGSampler(space, strategy="random", seed=seed)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        cells = space.sample(40, 0)
        for row, cell in enumerate(cells):
            whole = row < 6
            study.add_trial(
                optuna.create_trial(
                    state=optuna.trial.TrialState.COMPLETE
                    if whole
                    else optuna.trial.TrialState.PRUNED,
                    value=middling(cell) if whole else None,
                    params=dict(parameters_of(space, cell)),
                    distributions={**distributions_of(space)},
                    intermediate_values={3: middling(cell)} if teaches or whole else {},
                )
            )
        return middling(suggest_architecture(study.ask(), space))

    taught, untaught = (
        np.mean([proposed(teaches, seed) for seed in range(4)]) for teaches in (True, False)
    )
    assert taught > untaught + 0.15
