"""Searches that go on from what was measured before, outside of any study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.search import search
from diffusionnag.spaces import Architecture

SPACE = get_search_space("nasbench201")
CELLS = SPACE.sample(12, seed=5)


def measure(architecture: Architecture) -> dict[str, float]:
    convolutions = SPACE.operation_names(architecture).count("nor_conv_3x3")
    return {"accuracy": 80.0 + 2 * convolutions, "latency": 1.0 + 3 * convolutions}


def unexpected(architecture: Architecture) -> dict[str, float]:
    """Fail for what was measured before."""
    assert architecture not in CELLS
    return measure(architecture)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = [f"{SPACE.format(cell)},{','.join(map(str, measure(cell).values()))}" for cell in CELLS]
    path = tmp_path / "measured.csv"
    path.write_text("\n".join(["arch,accuracy,latency", *lines]))
    return path


def test_what_was_measured_counts_as_trials_and_is_learnt_from(table: Path) -> None:
    result = search(
        SPACE, "accuracy", evaluate=unexpected, measured=table, trials=16, strategy="random"
    )
    assert result.architectures[:12] == CELLS
    assert len(result.measured) == 16
    assert result.failed == 0
    # The warm-up is over: what follows is proposed by what was learnt, and better than most.
    assert result.values[12:, 0].mean() > result.values[:12, 0].mean()


def test_several_objectives_and_constraints_have_columns_of_their_own(table: Path) -> None:
    result = search(
        SPACE,
        ["accuracy", "latency=min"],
        evaluate=unexpected,
        constraints=["latency<=8"],
        measured=table,
        trials=13,
        strategy="random",
    )
    expected = [tuple(measure(cell).values()) for cell in CELLS]
    np.testing.assert_array_equal(result.values[:12], expected)
    assert result.allowed[:12].tolist() == [latency <= 8 for _, latency in expected]


def test_a_resumed_search_adds_nothing_twice(run_main: RunCli, table: Path, tmp_path: Path) -> None:
    (tmp_path / "measure.py").write_text(
        "def accuracy(architecture):\n    return float(sum(architecture.operations))\n"
    )
    command = ("search", "nasbench201", "--objective", "python:measure.py:accuracy")
    options = ("--strategy", "random", "--measured", table.name, "--storage", "study.log")
    assert run_main(*command, *options, "--trials", 13).returncode == 0
    result = run_main(*command, *options, "--trials", 15, "--out", "all.jsonl")
    assert result.returncode == 0, result.stderr
    assert "begun with 13 finished trials" in result.stderr
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert len({row["architecture"] for row in rows}) == len(rows) == 15


def test_rows_are_averaged_and_those_that_say_nothing_left_out(
    table: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = SPACE.format(CELLS[0])
    with table.open("a") as file:
        file.write(f"\n{first},{measure(CELLS[0])['accuracy'] + 4},0\nnonsense,1,1\n{first},,1\n")
    result = search(
        SPACE, "accuracy", evaluate=unexpected, measured=table, trials=13, strategy="random"
    )
    assert result.values[0, 0] == measure(CELLS[0])["accuracy"] + 2
    assert "2 of 15 rows are left out" in caplog.text


def test_measurements_at_one_resolution_are_taken_from_those_at_many(tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    lines = [f"{SPACE.format(cell)},{at},{60 + at / 100}" for cell in CELLS for at in (128, 192)]
    path.write_text("\n".join(["arch,resolution,top1", *lines]))
    result = search(
        SPACE,
        "top1@192",
        evaluate=lambda cell: {"top1@192": 70.0},
        measured=path,
        trials=13,
        strategy="random",
    )
    assert result.values[:12, 0].tolist() == [61.92] * 12
    assert len(result.architectures) == 13


@pytest.mark.parametrize(
    ("named", "options", "message"),
    [
        ("absent.csv", {}, "absent.csv"),
        ("measured.csv:speed", {}, "no column 'speed'"),
        (
            "measured.csv",
            {"objectives": "speed"},
            "about speed, but the table measured has no column",
        ),
        ("measured.csv:accuracy", {"objectives": ["accuracy", "latency"]}, "write .* alone"),
        ("measured.csv", {"space": "transnas"}, "no row of measured"),
        ("measured.csv", {"trials": 12}, "12 leave none to measure; give more than 12"),
    ],
)
def test_what_cannot_be_added_is_refused(
    table: Path, named: str, options: dict[str, object], message: str
) -> None:
    asked = {"space": SPACE, "objectives": "accuracy", "trials": 20} | options
    with pytest.raises(DiffusionNAGError, match=message):
        search(evaluate=measure, measured=table.with_name(named), **asked)  # type: ignore[arg-type]


def test_a_wrong_table_is_one_line(run_main: RunCli, table: Path, tmp_path: Path) -> None:
    (tmp_path / "measure.py").write_text("def speed(architecture):\n    return 1.0\n")
    objective = ("--objective", "python:measure.py:speed", "--measured", table.name)
    assert_fails(run_main("search", "nasbench201", *objective), 2, "no column 'speed'")
