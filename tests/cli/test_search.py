"""The command `search`: what it finds, draws, and refuses in one line."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import RunCli, assert_fails
from test_sampler import SPACE, agreement


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of the agreement of half of the cells."""
    path = tmp_path / "measured.csv"
    rows = [f"{SPACE.format(cell)},{agreement(cell)}" for cell in list(SPACE.enumerate())[::2]]
    path.write_text("\n".join(["arch,score", *rows]) + "\n")
    return path


def test_the_command_finds_the_best_and_draws(
    run_main: RunCli, table: Path, tmp_path: Path
) -> None:
    options = ("--objective", f"table:{table.name}:score", "--trials", 40, "--top", 3)
    result = run_main(
        "search", "nasbench201", *options, "--strategy", "mutation", "--plot", "best.png"
    )
    assert result.returncode == 0, result.stderr
    assert "gave no value; the last: the table measured has no score" in result.stderr
    listed = [line for line in result.stdout.splitlines() if re.match(r" \d +\|", line)]
    assert len(listed) == 3
    assert (tmp_path / "best.png").read_bytes().startswith(b"\x89PNG")


def test_a_narrow_terminal_breaks_no_string(
    run_main: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("diffusionnag.cli.console.results._width", 80)
    options = ("--objective", "macs=min", "--objective", "params")
    result = run_main("search", "nasbench201", *options, "--trials", 4, "--out", "all.csv")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "all.csv").open() as file:
        measured = {row["architecture"] for row in csv.DictReader(file)}
    listed = [line for line in result.stdout.splitlines() if "~" in line]
    assert listed
    assert {line.split()[-1] for line in listed} <= measured
    # What is an objective is not shown among the other exact properties again.
    assert result.stdout.count("macs M") == 1
    assert max(len(line) for line in result.stdout.splitlines() if "~" not in line) <= 80


def test_the_same_seed_gives_the_same_picture(
    run_main: RunCli, table: Path, tmp_path: Path
) -> None:
    pictures = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        options = ("--objective", f"table:{table.name}:score", "--trials", 14, "--seed", seed)
        options += ("--strategy", "random", "--plot", f"{name}.svg", "--minimize")
        result = run_main("search", "nasbench201", *options)
        assert result.returncode == 0, result.stderr
        pictures.append((tmp_path / f"{name}.svg").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]
    assert b"found by measurement" in pictures[0]


def test_a_cost_that_is_asked_for_later_is_that_of_later_trials(
    run_main: RunCli, tmp_path: Path
) -> None:
    options = ("--objective", "params", "--searcher", "random", "--storage", "search.log")
    assert run_main("search", "nasbench201", *options, "--trials", 3).returncode == 0
    options = (*options, "--trials", 5, "--cost", "macs", "--out", "all.jsonl")
    result = run_main("search", "nasbench201", *options)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    cost = sum(row["properties"]["macs"] for row in rows if row["trial"] >= 3)
    assert f"cost: macs {cost:.6g} of 2 of 5 trials" in result.stdout
    cells = [line.split() for line in result.stdout.splitlines() if "~0|+|" in line]
    assert [row[3] == "-" for row in cells] == [row["trial"] < 3 for row in rows]


@pytest.mark.slow
def test_the_best_cell_of_the_benchmark_is_found(run_main: RunCli, data_folder: Path) -> None:
    objective = "table:nasbench201_accuracy:cifar10_test_200ep"
    result = run_main(
        "search", "nasbench201", "--objective", objective, "--trials", 30, "--seed", 1
    )
    assert result.returncode == 0, result.stderr
    assert "best: 94.3733" in result.stdout


WRONG = {
    "strategy": ("--strategy guidde", "did you mean guided?"),
    "acquisition function": ("--acquisition ei", "did you mean EI?"),
    "no trials": ("--trials 0", "cannot search with 0 trials"),
    "too many trials": ("--trials 20000", "has 15625 architectures"),
    "short warm-up": ("--warm-up 4", "at least 5"),
    "seed": ("--seed -1", "seed -1"),
    "objective": ("--objective score", "should read like"),
    "no column": ("--objective table:measured.csv", "should read like"),
    "column": ("--objective table:measured.csv:scor", "has no column 'scor'; nearest: score"),
    "table": ("--objective table:lost.csv:score", "no such file"),
    "file of code": ("--objective python:lost.py:score", "no file lost.py"),
    "function": ("--objective python:empty.py:score", "defines no function 'score'"),
    "storage": ("--storage nonsense", "no storage that can be opened"),
    "picture": ("--plot best.xyz", "best.xyz"),
    "top": ("--top -1", "--top is -1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_are_one_line(
    run_main: RunCli, table: Path, tmp_path: Path, case: str
) -> None:
    (tmp_path / "empty.py").touch()
    options, message = WRONG[case]
    usual = {"--objective": f"table:{table.name}:score", "--trials": "12", "--strategy": "random"}
    given = options.split()
    usual |= dict(zip(given[::2], given[1::2], strict=True))
    result = run_main("search", "nasbench201", *(part for pair in usual.items() for part in pair))
    assert_fails(result, 2, message)


def test_a_study_of_something_else_is_refused(
    run_main: RunCli, table: Path, tmp_path: Path
) -> None:
    def search(*options: str) -> subprocess.CompletedProcess[str]:
        kept = ("--storage", "sqlite:///study.db", "--study", "mine", "--strategy", "random")
        return run_main("search", "nasbench201", "--trials", 11, *kept, *options)

    assert search("--objective", "table:measured.csv:score").returncode == 0
    result = search("--objective", "table:measured.csv:score", "--minimize")
    assert_fails(result, 2, "is to maximize nasbench201 table:measured.csv:score")
    (tmp_path / "two.py").write_text("def value(architecture):\n    return 1.0\n")
    assert_fails(search("--objective", "python:two.py:value"), 2, "give this study another name")


def test_an_unusable_storage_is_a_failure_of_the_world(run_main: RunCli, table: Path) -> None:
    options = ("--objective", f"table:{table.name}:score", "--storage", "sqlite:///no/where.db")
    result = run_main("search", "nasbench201", "--strategy", "random", *options)
    assert_fails(result, 1, "cannot be used")


def test_a_missing_optuna_is_one_line(
    run_main: RunCli, without_packages: Callable[..., None]
) -> None:
    without_packages("optuna")
    result = run_main("search", "nasbench201", "--objective", "table:measured.csv:score")
    assert_fails(result, 2, "pip install 'diffusionnag[search]'")
