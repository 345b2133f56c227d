"""What measures: the user's own code, what it may return, and how it may fail."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.search import (
    DiffusionNAGSampler,
    MeasurementError,
    new_searcher,
    optuna_objective,
    read_objective,
    recorded_architecture,
    suggest_architecture,
)

SPACE = get_search_space("nasbench201")
HELPER = "def score(architecture):\n    return float(sum(architecture.operations))\n"
BOTH = (
    "calls = []\n"
    "def both(architecture):\n"
    "    calls.append(architecture)\n"
    "    open('calls.txt', 'a').write('x')\n"
    "    return {'accuracy': float(sum(architecture.operations)), 'latency': 2.0}\n"
)
optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_function_imports_modules_beside_its_file(
    run_cli: RunCli, tmp_path: Path, workers: int
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "score_beside.py").write_text(HELPER)
    (tmp_path / "code" / "measure.py").write_text(
        "from score_beside import score\ndef accuracy(architecture):\n    return score(architecture)\n"
    )
    options = ("--objective", "python:code/measure.py:accuracy", "--searcher", "random")
    result = run_cli("search", "nasbench201", *options, "--trials", 3, "--workers", workers)
    assert result.returncode == 0, result.stderr


def test_a_module_of_the_current_folder_is_found(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "measure_here.py").write_text(HELPER)
    options = ("--objective", "python:measure_here:score", "--searcher", "random")
    result = run_cli("search", "nasbench201", *options, "--trials", 2)
    assert result.returncode == 0, result.stderr


def test_an_objective_that_ends_the_process_fails_alone(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text(
        "import sys\ncalls = []\ndef value(architecture):\n    calls.append(1)\n"
        "    if len(calls) == 2:\n        sys.exit(3)\n    return 1.0\n"
    )
    options = ("--objective", "python:ends.py:value", "--searcher", "random", "--trials", 4)
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    assert "1 trials gave no value; the last: it called sys.exit(3)" in result.stderr


def test_an_attribute_of_the_user_called_architecture_hides_nothing() -> None:
    studies = []
    for name in ("note", "architecture"):

        def size(trial: optuna.Trial, name: str = name) -> float:
            architecture = suggest_architecture(trial, SPACE)
            trial.set_user_attr(name, "InferCell(4 nodes)")
            return SPACE.analytic_properties(architecture)["params"]

        sampler = DiffusionNAGSampler(SPACE, strategy="mutation")
        study = optuna.create_study(sampler=sampler, direction="maximize")
        study.optimize(size, 12)
        studies.append([recorded_architecture(SPACE, trial) for trial in study.trials])
    assert studies[0] == studies[1]


def test_an_architecture_is_read_from_its_parameters_where_nothing_is_noted() -> None:
    study = optuna.create_study(sampler=new_searcher("random", SPACE))
    study.optimize(lambda trial: float(sum(suggest_architecture(trial, SPACE).operations)), 1)
    (trial,) = study.trials
    expected = recorded_architecture(SPACE, trial)
    trial.user_attrs = {"architecture": "InferCell(4 nodes)"}
    assert recorded_architecture(SPACE, trial) == expected is not None


def test_other_parameters_are_proposed_beside_the_architecture() -> None:
    def run(trials: int, seed: int = 0) -> optuna.Study:
        sampler = DiffusionNAGSampler(SPACE, strategy="mutation", seed=seed)
        study = optuna.create_study(sampler=sampler, direction="maximize")

        def score(trial: optuna.Trial) -> float:
            rate = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
            size = SPACE.analytic_properties(suggest_architecture(trial, SPACE))["params"]
            return size - abs(rate - 0.01) - trial.suggest_int("batch", 1, 4)

        study.optimize(score, trials)
        return study

    study = run(40)
    assert len({recorded_architecture(SPACE, trial) for trial in study.trials}) == 40
    rates = [trial.params["learning_rate"] for trial in study.trials]
    assert sum(rate > 0.1 for rate in rates[20:]) < sum(rate > 0.1 for rate in rates[:20])
    again = [trial.params for trial in run(15).trials]
    assert again == [trial.params for trial in study.trials[:15]]
    assert again != [trial.params for trial in run(15, seed=1).trials]


# -- several values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "returned", [(1.0, 2.0), [1.0, 2.0], {"accuracy": 1.0, "latency": 2.0, "note": 3.0}]
)
def test_several_objectives_are_returned_as_a_tuple_or_by_name(returned: object) -> None:
    study = optuna.create_study(
        sampler=DiffusionNAGSampler(SPACE), directions=["maximize", "minimize"]
    )
    names = ["accuracy", "latency"]
    study.optimize(optuna_objective(SPACE, lambda _: returned, names), 1)  # type: ignore[arg-type,return-value]
    assert study.trials[0].values == [1.0, 2.0]


def test_names_that_nobody_told_stop_the_first_trial() -> None:
    study = optuna.create_study(sampler=new_searcher("random", SPACE), directions=["maximize"])
    with pytest.raises(DiffusionNAGError, match=r"objectives=\['accuracy'\]"):
        study.optimize(
            optuna_objective(SPACE, lambda _: {"accuracy": 1.0}), 3, catch=(MeasurementError,)
        )
    assert len(study.trials) == 1


def test_a_naming_slip_stops_the_search_at_its_first_trial(
    run_main: RunCli, tmp_path: Path
) -> None:
    (tmp_path / "measure.py").write_text(BOTH)
    options = ("--objective", "python:measure.py:both", "--objective", "latency=min")
    result = run_main("search", "nasbench201", *options, "--trials", 8, "--searcher", "random")
    assert result.returncode == 2
    result = run_main("search", "nasbench201", *options, "--trials", 8)
    assert_fails(result, 2, "python:measure.py:both:accuracy")
    assert (tmp_path / "calls.txt").read_text() == "x"


def test_a_value_of_a_function_is_named_and_measured_once(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "measure.py").write_text(BOTH)
    options = ("--objective", "python:measure.py:both:accuracy")
    options += ("--objective", "python:measure.py:both:latency=min", "--trials", 3)
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    assert "on the front" in result.stdout
    assert (tmp_path / "calls.txt").read_text() == "xxx"


def test_an_analytic_property_is_an_objective(run_main: RunCli, tmp_path: Path) -> None:
    options = ("--objective", "params=min", "--trials", 6, "--strategy", "mutation")
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    (tmp_path / "measure.py").write_text(BOTH)
    options = ("--objective", "python:measure.py:both:accuracy", "--objective", "params=min")
    result = run_main("search", "nasbench201", *options, "--trials", 6)
    assert result.returncode == 0, result.stderr
    assert "on the front" in result.stdout
    (cell,) = SPACE.sample(1)
    measured = read_objective("analytic:params", SPACE)(cell)
    assert measured == SPACE.analytic_properties(cell)["params"]
