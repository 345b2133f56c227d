"""Groups of architectures trained alike: resumable, and with the statistics of the textbook."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails
from test_architecture_training import DATA, SPACE, settings, write_images

from diffusionnag.execution import new_executor
from diffusionnag.networks import Group, accuracy_intervals, read_group, train_groups, welch_p_value

CELLS = tuple(SPACE.sample(3, seed=4))


def write_group(path: Path, count: int = 3) -> Path:
    lines = [json.dumps({"architecture": SPACE.format(cell)}) for cell in CELLS[:count]]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_statistics() -> None:
    accuracies = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    largest, mean, smallest = accuracy_intervals(accuracies)
    assert (largest.mean, mean.mean, smallest.mean) == (6.0, 4.0, 2.0)
    # The t distribution with two degrees of freedom has its 97.5th percentile at 4.303.
    assert smallest.half == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)
    assert np.isnan(accuracy_intervals(accuracies[:, :1])[0].half)
    assert welch_p_value(accuracies, accuracies) == pytest.approx(1)
    assert welch_p_value(accuracies, accuracies + 100) < 0.001
    assert np.isnan(welch_p_value(accuracies[:1], accuracies))


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on(tmp_path: Path) -> None:
    groups = [Group("a", CELLS[:2]), Group("b", CELLS[1:2])]

    def stop(done: float, total: int) -> None:
        if done > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_groups(SPACE, groups, DATA, settings(1), 2, tmp_path / "stopped", report=stop)
    steps: list[float] = []
    again = train_groups(
        SPACE,
        groups,
        DATA,
        settings(1),
        2,
        tmp_path / "stopped",
        report=lambda done, total: steps.append(done),
    )
    assert steps[0] == 1, "the first is not trained again"
    assert steps == sorted(steps)
    assert steps[-1] == 4
    once = train_groups(SPACE, groups, DATA, settings(1), 2, tmp_path / "once")
    assert [values.tolist() for values in again] == [values.tolist() for values in once]
    assert again[0].shape == (2, 2)
    elsewhere = train_groups(
        SPACE,
        groups,
        DATA,
        settings(1),
        2,
        tmp_path / "elsewhere",
        executor=new_executor("process", 1),
    )
    assert [values.tolist() for values in elsewhere] == [values.tolist() for values in once]
    assert again[0][1].tolist() == again[1][0].tolist()


def test_a_comparison_is_extended(tmp_path: Path) -> None:
    first, second = Group("a", CELLS[:1]), Group("b", CELLS[1:2])
    (before,) = train_groups(SPACE, [first], DATA, settings(1), 1, tmp_path)
    done: list[float] = []
    _, after = train_groups(
        SPACE,
        [second, first],
        DATA,
        settings(1),
        1,
        tmp_path,
        report=lambda share, total: done.append(share),
    )
    assert after.tolist() == before.tolist()
    assert done[-2:] == [1, 2], "only the second was trained"
    assert len(list(tmp_path.iterdir())) == 2


def test_groups_are_the_first_of_a_file(tmp_path: Path) -> None:
    group = read_group(write_group(tmp_path / "best.jsonl"), SPACE, 2)
    assert group == Group("best", CELLS[:2])


def test_wrong_groups_are_one_line(tmp_path: Path, run_main: RunCli) -> None:
    write_group(tmp_path / "few.jsonl", 1)
    (tmp_path / "broken.jsonl").write_text("{")
    for name, message in {
        "few.jsonl": "holds 1 distinct architectures, and 2 are asked for; ask for 1 or fewer",
        "broken.jsonl": "broken.jsonl, line 1: not JSON",
        "missing.jsonl": "missing.jsonl: no such file",
    }.items():
        wanted = ("--data", "images", "--groups", name, "--top", 2, "--out", "out")
        assert_fails(run_main("compare", "nasbench201", *wanted), 2, message)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "groups", ["--groups a.jsonl b.jsonl", "--groups a.jsonl --groups b.jsonl"]
)
def test_groups_are_compared_in_one_table(tmp_path: Path, run_main: RunCli, groups: str) -> None:
    write_group(tmp_path / "a.jsonl")
    write_group(tmp_path / "b.jsonl", 2)
    images = write_images(tmp_path / "images.parquet")
    short = ["--resolution", "8", "--epochs", "1", "--top", "2", "--seeds", "1", "--out", "out"]
    result = run_main("compare", "nasbench201", *groups.split(), "--data", images, *short)
    assert result.returncode == 0, result.stderr
    header, a, b, explained = result.stdout.splitlines()
    assert header.split()[:4] == ["group", "max", "mean", "min"]
    assert a.split()[1:4] == b.split()[1:4]
    assert (a.split()[-1], float(b.split()[-1])) == ("-", 1.0)
    assert "2 architectures a group" in explained
