"""Several processes on one study: none lost, none twice, whoever is killed, on every storage."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from commands import Command
from conftest import RunCli, assert_fails, is_running, wait_for
from optuna.trial import FrozenTrial, TrialState

from diffusionnag import Architecture, get_search_space
from diffusionnag.search import (
    ARCHITECTURE,
    ArchitectureSampler,
    new_searcher,
    optuna_objective,
    recorded_architecture,
    suggest_architecture,
)
from diffusionnag.search.storages import (
    PROCESS,
    claim,
    is_dead,
    open_storage,
    queue_dead,
    this_process,
)
from diffusionnag.search.study import count_finished, open_study, run_study

SPACE = get_search_space("nasbench201")
STUDY = "nasbench201 python:slow.py:measure"
SIGNS = "diffusionnag.search.storages._signs_of_life"
SLOW = """
import os, time

def measure(architecture):
    with open("calls.txt", "a") as file:
        file.write(f"{os.getpid()} {architecture.operations}\\n")
    time.sleep(0.2)
    return float(sum(architecture.operations))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


def search(storage: str, trials: int, workers: int) -> list[str]:
    options = ["--objective", "python:slow.py:measure", "--searcher", "random"]
    options += ["--storage", storage, "--trials", str(trials), "--workers", str(workers)]
    return ["search", "nasbench201", *options]


def calls(folder: Path) -> list[tuple[int, str]]:
    """Return which process measured what, in the order in which that began."""
    path = folder / "calls.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.partition(" ") for line in lines)
    return [(int(pid), operations) for pid, _, operations in pairs]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finished(folder: Path, storage: str, name: str = STUDY) -> list[FrozenTrial]:
    sampler = new_searcher("random", SPACE)
    place = storage.replace("sqlite:///", f"sqlite:///{folder}/")
    place = place.replace("journal:", f"journal:{folder}/")
    study = open_study(sampler, name.partition(" ")[2], storage=place, name=name)
    return study.get_trials(states=(TrialState.COMPLETE,))


# -- one is killed --------------------------------------------------------------------------------


def assert_none_is_lost_or_twice(folder: Path, storage: str) -> None:
    """Search with three workers, one of which is killed while it measures."""
    process = Command(search(storage, 15, 3), folder)
    wait_for(lambda: len({pid for pid, _ in calls(folder)}) == 3, process)
    victim, lost = calls(folder)[-1]
    os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    complete = finished(folder, storage)
    assert len(complete) == len({trial.user_attrs[ARCHITECTURE] for trial in complete}) == 15
    measured = [operations for _, operations in calls(folder)]
    # Only what the killed one was at is measured again.
    assert measured.count(lost) == 2
    assert len(measured) == 16 == len(set(measured)) + 1


@pytest.mark.parametrize("storage", ["sqlite:///study.db", "journal:study.log"])
def test_a_killed_worker_loses_nothing(folder: Path, storage: str) -> None:
    assert_none_is_lost_or_twice(folder, storage)


def forget(storage: str) -> None:
    """Delete what an earlier test may have left on a server that stays."""
    with contextlib.suppress(KeyError):
        optuna.delete_study(study_name=STUDY, storage=open_storage(storage, lambda *_: None))


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """The URL of a PostgreSQL server: one that is there, or one of the system's own packages."""
    named = os.environ.get("DIFFUSIONNAG_POSTGRES")
    if named:
        forget(named)
        yield named
        forget(named)
        return
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'diffusionnag[postgres]'")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("needs PostgreSQL: name a server by DIFFUSIONNAG_POSTGRES, or install it")
    # The server refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    data = Path("/tmp") / f"diffusionnag-postgres-{os.getpid()}"
    control = [*user, str(programs[-1].with_name("pg_ctl")), "-D", str(data)]
    options = f"-k {data} -c listen_addresses='' -c fsync=off"
    try:
        create = [*user, str(programs[-1]), "-D", str(data), "-A", "trust", "-U", "postgres"]
        subprocess.run(create, check=True, capture_output=True, cwd="/tmp")
        command = [*control, "-w", "-l", str(data / "log"), "-o", options, "start"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/tmp")
        yield f"postgresql://postgres@/postgres?host={data}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, cwd="/tmp")
        shutil.rmtree(data, ignore_errors=True)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_on_a_server(folder: Path, postgres: str) -> None:
    assert_none_is_lost_or_twice(folder, postgres)


# -- all are stopped ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_workers_end_with_their_parent_and_another_search_goes_on(
    folder: Path, end: signal.Signals
) -> None:
    process = Command(search("journal:study.log", 1000, 2), folder)
    wait_for(lambda: len(calls(folder)) >= 6, process)
    process.send_signal(end)
    _, errors = process.communicate(timeout=100)
    if end == signal.SIGINT:
        assert process.returncode == 1
        assert [line for line in errors.splitlines() if line][-1].startswith("error: interrupted")
    assert "Traceback" not in errors
    workers = {pid for pid, _ in calls(folder)}
    wait_until(lambda: not any(is_running(pid) for pid in workers))
    before = finished(folder, "journal:study.log")
    sampler = new_searcher("random", SPACE)
    study = open_study(
        sampler, STUDY.partition(" ")[2], storage=f"journal:{folder}/study.log", name=STUDY
    )
    run_study(study, sampler, optuna_objective(SPACE, lambda _: 0.0), len(before) + 4)
    after = finished(folder, "journal:study.log")
    assert len(after) == len(before) + 4 == len({trial.user_attrs[ARCHITECTURE] for trial in after})
    assert {trial.number: trial.value for trial in after}.items() >= {
        trial.number: trial.value for trial in before
    }.items()


# -- whose process died ---------------------------------------------------------------------------


def test_a_process_is_known_to_be_dead_on_its_own_machine_only(tmp_path: Path) -> None:
    assert not is_dead(this_process())
    code = "from diffusionnag.search.storages import this_process; print(this_process())"
    process, _ = Command(["spaces"], tmp_path, code).communicate()
    assert is_dead(process.splitlines()[0])
    host, pid, _ = this_process().rsplit(" ", 2)
    assert is_dead(f"{host} {pid} 1"), "another process had this number before"
    assert not is_dead(f"elsewhere {pid} 1")


def test_what_keeps_killing_its_process_counts_as_failed(tmp_path: Path) -> None:
    sampler = new_searcher("random", SPACE)
    study = open_study(sampler, "deadly", storage=f"journal:{tmp_path}/study.log")
    host, pid, _ = this_process().rsplit(" ", 2)
    for deaths in range(3):
        assert count_finished(study) == 0, f"after {deaths} deaths it is to be measured again"
        trial = study.ask()
        suggest_architecture(trial, SPACE)
        study._storage.set_trial_system_attr(trial._trial_id, PROCESS, f"{host} {pid} 1")
        queue_dead(study, SPACE)
    assert len({trial.user_attrs[ARCHITECTURE] for trial in study.trials}) == 1
    assert count_finished(study) == 1
    assert "died, 3 times" in study.trials[-1].user_attrs["failure"]


def test_what_a_replaced_worker_of_another_machine_measured_is_queued_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = new_searcher("random", SPACE)
    study = open_study(sampler, "elsewhere", storage=f"journal:{tmp_path}/study.log")
    driver = this_process()
    monkeypatch.setattr(f"{SIGNS}.this_process", lambda: "elsewhere 7 1")
    claim(study, "run-0", driver)
    suggest_architecture(study.ask(), SPACE)
    queue_dead(study, SPACE)
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING], "it may be alive"
    monkeypatch.setattr(f"{SIGNS}.this_process", lambda: "elsewhere 8 5")
    claim(study, "run-0", driver)
    queue_dead(study, SPACE)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    suggest_architecture(study.ask(), SPACE)
    first, again = study.trials
    assert again.user_attrs[ARCHITECTURE] == first.user_attrs[ARCHITECTURE]
    host, pid, _ = driver.rsplit(" ", 2)
    claim(study, "run-0", f"{host} {pid} 1")
    queue_dead(study, SPACE)
    assert study.trials[again.number].state == TrialState.FAIL, "its driver is dead"


def begun_elsewhere(storage: str) -> tuple[ArchitectureSampler, optuna.Study, Architecture]:
    """Return a study of which another machine runs the only trial, and what that measures."""
    sampler = new_searcher("random", SPACE)
    study = open_study(sampler, "elsewhere", storage=storage)
    trial = study.ask()
    architecture = suggest_architecture(trial, SPACE)
    study._storage.set_trial_system_attr(trial._trial_id, PROCESS, "elsewhere 7 1")
    return sampler, study, architecture


def test_the_last_trial_of_a_machine_that_died_is_measured(tmp_path: Path) -> None:
    import sqlite3

    sampler, study, architecture = begun_elsewhere(f"sqlite:///{tmp_path}/study.db")
    study._storage.record_heartbeat(study.trials[0]._trial_id)  # type: ignore[attr-defined]
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')")
    database.close()
    measured: list[Architecture] = []
    rounds = itertools.count()

    def measure(architecture: Architecture) -> float:
        measured.append(architecture)
        return 0.0

    def report(study: optuna.Study) -> None:
        assert next(rounds) < 3, "it waits for what has died"

    run_study(study, sampler, optuna_objective(SPACE, measure), 1, report)
    assert measured == [architecture]


def test_a_journal_tells_which_machine_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("diffusionnag.search.study.PATIENCE", 1)
    sampler, study, _ = begun_elsewhere(f"journal:{tmp_path}/study.log")

    def report(study: optuna.Study) -> None:
        study.tell(0, 1.0)

    run_study(study, sampler, optuna_objective(SPACE, lambda _: 0.0), 1, report)
    assert "waiting for trial 0, which process 7 on elsewhere measures" in caplog.text


# -- wrong requests -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        ("--workers 0", 2, "cannot work with 0 workers"),
        ("--storage journal:no/where.log", 1, "cannot be used"),
        ("--storage broken.log", 2, "no journal of a study"),
        ("--storage oracle://host/study", 2, "storage"),
    ],
)
def test_wrong_requests_are_one_line(
    run_main: RunCli, folder: Path, option: str, code: int, message: str
) -> None:
    (folder / "broken.log").write_text("nonsense\nmore\n")
    options = ("--objective", "python:slow.py:measure", "--searcher", "random", "--trials", 2)
    assert_fails(run_main("search", "nasbench201", *options, *option.split()), code, message)


def test_an_error_of_a_worker_is_one_line(run_cli: RunCli, folder: Path) -> None:
    worker_only = "import multiprocessing\nassert not multiprocessing.parent_process()\n"
    (folder / "slow.py").write_text(worker_only + SLOW)
    result = run_cli(*search("journal:study.log", 4, 2))
    assert_fails(result, 2, "slow.py cannot be loaded")


# -- a study of an earlier version ----------------------------------------------------------------


@pytest.mark.parametrize("dump", sorted(Path(__file__).with_name("studies").glob("format_*.sql")))
def test_a_study_of_an_earlier_version_opens_goes_on_and_is_shown(
    run_main: RunCli, tmp_path: Path, dump: Path
) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "study.db") as database:
        database.executescript(dump.read_text())
    database.close()
    (tmp_path / "convolutions.py").write_text(
        "def count(architecture):\n    return float(sum(architecture.operations))\n"
    )
    options = ("--objective", "python:convolutions.py:count", "--searcher", "random")
    options += ("--storage", "sqlite:///study.db", "--study", "old", "--trials", 12)
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    assert "resumed with 8 finished trials" in result.stderr
    assert "of 12" in result.stdout
    study = optuna.load_study(study_name="old", storage=f"sqlite:///{tmp_path}/study.db")
    assert len({recorded_architecture(SPACE, trial) for trial in study.trials}) == 12
