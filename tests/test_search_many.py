"""Searches for several objectives, under constraints and limits, on measured tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import get_search_space
from diffusionnag.pareto import non_dominated

SPACE = get_search_space("nasbench201")
ACCURACY = "table:nasbench201_accuracy:cifar10_test_200ep"
LATENCY = "table:nasbench201_latency_ms:latency:pixel3"


@pytest.mark.usefixtures("data_folder")
def test_a_front_of_two_objectives_within_a_limit(run_main: RunCli, tmp_path: Path) -> None:
    options = ("--objective", ACCURACY, "--objective", f"{LATENCY}=min", "--limit", "params<=0.8M")
    options += ("--trials", 12, "--out", "found.jsonl", "--plot", "front.png", "--seed", 1)
    result = run_main("search", "nasbench201", *options, "--strategy", "mutation+random")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    found = [record["properties"] for record in records]
    assert len({record["architecture"] for record in records}) == 12
    assert all(one["params"] <= 0.8 for one in found)
    values = np.array([(one["cifar10_test_200ep"], -one["latency:pixel3"]) for one in found])
    front = non_dominated(values)
    assert f"on the front: {front.sum()} of 12 measured" in result.stdout
    # The front is handed out first.
    assert front[: front.sum()].all()
    assert "hypervolume: " in result.stdout
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


def test_a_limit_that_nothing_keeps_is_one_line(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def value(architecture):\n    return 1.0\n")
    options = ("--objective", "python:one.py:value", "--limit", "params<=0.01M")
    result = run_main("search", "nasbench201", *options)
    assert_fails(result, 2, "params <= 0.01")


def test_values_that_are_not_finite_or_missing_stop_nothing(
    run_main: RunCli, tmp_path: Path
) -> None:
    (tmp_path / "odd.py").write_text(
        "calls = []\n"
        "def b(architecture):\n"
        "    calls.append(architecture)\n"
        "    good = {'a': float(len(calls)), 'b': float(sum(architecture.operations))}\n"
        "    odd = [good | {'a': float('nan')}, good | {'b': float('inf')}, {'a': 1.0}]\n"
        "    return odd[len(calls) // 2 % 3] if len(calls) % 2 else good\n"
    )
    options = ("--objective", "python:odd.py:b", "--objective", "a=min", "--trials", 12)
    result = run_main("search", "nasbench201", *options, "--strategy", "mutation")
    assert result.returncode == 0, result.stderr
    assert "6 trials gave no value" in result.stderr
    assert "of 6 measured" in result.stdout
    options = ("--evaluate", "echo '{\"a\": NaN}'", "--objective", "a", "--trials", 2)
    result = run_main("search", "nasbench201", *options, "--searcher", "random")
    assert "2 trials gave no value; the last: a is nan" in result.stderr
