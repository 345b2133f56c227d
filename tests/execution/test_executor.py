"""Executors: every task is done once, or again where its worker was lost; errors arrive as they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import Command
from conftest import RunCli, assert_fails, is_running, wait_for
from optuna.trial import TrialState
from tasks import Task, die, die_once, fail, note, refuse

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.execution import Executor, new_executor
from diffusionnag.search import ARCHITECTURE


def calls(folder: Path) -> list[int]:
    """Return the tasks that were begun, in order."""
    return [int(line.split()[0]) for line in (folder / "calls.txt").read_text().splitlines()]


def tasks(folder: Path, count: int) -> list[Task]:
    return [(str(folder), number) for number in range(count)]


def squares(executor: Executor, function: object, folder: Path, count: int) -> dict[int, int]:
    done = executor.map_unordered(function, tasks(folder, count))  # type: ignore[arg-type]
    return {number: result for (_, number), result in done}


@pytest.mark.parametrize("name", ["local", "process"])
def test_every_task_is_done_once(tmp_path: Path, name: str) -> None:
    executor = new_executor(name, 1 if name == "local" else 2)
    assert squares(executor, note, tmp_path, 5) == {number: number**2 for number in range(5)}
    assert sorted(calls(tmp_path)) == [0, 1, 2, 3, 4]


def test_a_task_whose_process_died_is_done_again(tmp_path: Path) -> None:
    assert squares(new_executor("process", 2), die_once, tmp_path, 5)[2] == 4
    assert sorted(calls(tmp_path)) == [0, 1, 2, 2, 3, 4]


def test_processes_that_keep_dying_end_it(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailureError, match="exit code -9"):
        squares(new_executor("process"), die, tmp_path, 1)


def test_errors_arrive_as_they_are(tmp_path: Path) -> None:
    executor = new_executor("process", 2)
    with pytest.raises(DiffusionNAGError, match=r"^task 0 cannot be done$"):
        squares(executor, refuse, tmp_path, 1)
    with pytest.raises(EnvironmentFailureError, match="ZeroDivisionError"):
        squares(executor, fail, tmp_path, 1)


def test_what_is_left_stops_with_the_iterator(tmp_path: Path) -> None:
    results = new_executor("process", 1).map_unordered(note, tasks(tmp_path, 3))
    next(results)
    results.close()  # type: ignore[attr-defined]
    (process,) = {line.split()[1] for line in (tmp_path / "calls.txt").read_text().splitlines()}
    assert not Path(f"/proc/{process}").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--executor slurm", "no executor 'slurm'"),
        ("--workers 0", "cannot work with 0 workers"),
        ("--workers 100000000", "of memory, and this machine has"),
        ("--executor local --workers 2", "the local executor has one worker"),
        ("--workers 2 --gpus 1", "cpus and gpus are for the executor ray"),
        ("--executor ray --cpus 0", "0 CPUs and 0 GPUs are nothing to work with"),
    ],
)
def test_wrong_requests_are_one_line(run_main: RunCli, options: str, message: str) -> None:
    if "ray" in options:
        pytest.importorskip("ray", reason="needs ray: pip install 'diffusionnag[distributed]'")
    wanted = ("--objective", "table:a.csv:b", *options.split())
    assert_fails(run_main("search", "nasbench201", *wanted), 2, message)


def test_a_journal_is_refused_for_a_cluster(run_main: RunCli, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'diffusionnag[distributed]'")
    (tmp_path / "one.py").write_text("def measure(architecture):\n    return 1.0\n")
    options = ("--objective", "python:one.py:measure", "--searcher", "random")
    options += ("--executor", "ray", "--storage", "journal:study.log")
    assert_fails(run_main("search", "nasbench201", *options), 2, "a journal cannot be shared")


# -- a cluster ------------------------------------------------------------------------------------

HELD = """
import os, time
import ray

def measure(architecture):
    with open("calls.txt", "a") as file:
        node = ray.get_runtime_context().get_node_id()
        file.write(f"{node} {os.getpid()} {architecture.operations}\\n")
    while os.path.exists("hold"):
        time.sleep(0.02)
    return float(sum(architecture.operations))
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray cluster of a head that does no work and two machines, all of them processes here."""
    utils = pytest.importorskip(
        "ray.cluster_utils", reason="needs ray: pip install 'diffusionnag[distributed]'"
    )
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    quick = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": quick}
    cluster = utils.Cluster(initialize_head=True, head_node_args=head)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


@pytest.mark.slow
def test_a_search_loses_nothing_when_a_machine_is_lost(tmp_path: Path, cluster: Any) -> None:
    machines = {node.node_id: node for node in (cluster.add_node(num_cpus=1) for _ in range(2))}
    (tmp_path / "held.py").write_text(HELD)
    (tmp_path / "hold").touch()
    options = ["--objective", "python:held.py:measure", "--searcher", "random", "--trials", "12"]
    options += ["--storage", "sqlite:///study.db", "--executor", "ray", "--workers", "2"]
    process = Command(["search", "nasbench201", *options], tmp_path)

    def measured() -> list[list[str]]:
        """Return on which machine, in which process, what was measured."""
        path = tmp_path / "calls.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split(maxsplit=2) for line in lines]

    wait_for(lambda: len({node for node, _, _ in measured()}) == 2, process)
    victim, pid, lost = measured()[-1]
    cluster.remove_node(machines[victim], allow_graceful=False)
    while is_running(int(pid)):
        time.sleep(0.02)
    (tmp_path / "hold").unlink()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert not errors.strip()
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path}/study.db")
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    assert len(complete) == len({trial.user_attrs[ARCHITECTURE] for trial in complete}) == 12
    begun = [operations for _, _, operations in measured()]
    assert begun.count(lost) == 2
    assert len(begun) == 13 == len(set(begun)) + 1
