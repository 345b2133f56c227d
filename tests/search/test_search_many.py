"""Searches for several objectives, under constraints and limits, on measured tables."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunCli, assert_fails

from diffusionnag import get_search_space
from diffusionnag.generation.dominance import hypervolume, non_dominated
from diffusionnag.search import MeasurementError, read_objective

SPACE = get_search_space("nasbench201")
ACCURACY = "table:nasbench201_accuracy:cifar10_test_200ep"
LATENCY = "table:nasbench201_latency_ms:latency:pixel3"


@pytest.mark.usefixtures("data_folder")
def test_a_front_of_two_objectives_within_a_limit(run_main: RunCli, tmp_path: Path) -> None:
    options = ("--objective", ACCURACY, "--objective", f"{LATENCY}=min", "--limit", "params<=0.8M")
    options += ("--trials", 8, "--out", "found.jsonl", "--plot", "front.png", "--seed", 1)
    result = run_main("search", "nasbench201", *options, "--strategy", "mutation+random")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    rows = [record["properties"] for record in records]
    assert len({record["architecture"] for record in records}) == 8
    assert all(row["params"] <= 0.8 for row in rows)
    values = np.array([(row["cifar10_test_200ep"], -row["latency:pixel3"]) for row in rows])
    front = non_dominated(values)
    assert f"on the front: {front.sum()} of 8 measured" in result.stdout
    # The front is handed out first.
    assert front[: front.sum()].all()
    assert "hypervolume: " in result.stdout
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return measured accuracies and latencies of uniformly drawn cells."""
    accuracy, latency = (read_objective(text, SPACE) for text in (ACCURACY, LATENCY))
    pairs = []
    for architecture in SPACE.sample(count, 0):
        # A few cells without any operation have no latency.
        with contextlib.suppress(MeasurementError):
            pairs.append((accuracy(architecture), latency(architecture)))
    accuracies, latencies = np.array(pairs).T
    return accuracies, latencies


def dominated(accuracies: np.ndarray, latencies: np.ndarray) -> float:
    """Return the hypervolume of what is better than 80 % and 25 ms."""
    values, corner = np.stack([accuracies, -latencies], axis=1), np.array([80.0, -25.0])
    return hypervolume(values[(values > corner).all(1)], corner)


@pytest.mark.slow
@pytest.mark.usefixtures("data_folder")
def test_a_front_is_wider_than_that_of_as_many_random_ones(
    run_main: RunCli, tmp_path: Path
) -> None:
    options = ("--objective", ACCURACY, "--objective", f"{LATENCY}=min", "--trials", 16)
    result = run_main("search", "nasbench201", *options, "--out", "found.jsonl", "--seed", 2)
    assert result.returncode == 0, result.stderr
    accuracies, latencies = drawn(40 * 16)
    rows = np.array_split(np.arange(len(accuracies)), 40)
    random = [dominated(accuracies[row], latencies[row]) for row in rows]
    front = measured(tmp_path / "found.jsonl", "cifar10_test_200ep", "latency:pixel3")
    # Seeds 0 to 7 reach 278 to 293; half of the random ones stay below 272.
    assert dominated(*front) > np.median(random)


@pytest.mark.usefixtures("data_folder")
def test_what_keeps_a_learnt_constraint_is_better_than_random(
    run_main: RunCli, tmp_path: Path
) -> None:
    options = ("--objective", ACCURACY, "--constraint", f"{LATENCY}<=5", "--trials", 20)
    result = run_main("search", "nasbench201", *options, "--out", "found.jsonl")
    assert result.returncode == 0, result.stderr
    accuracies, latencies = drawn(40 * 20)
    reached, took = measured(tmp_path / "found.jsonl", "cifar10_test_200ep", "latency:pixel3")
    # Without what is learnt, every fifth keeps it.
    assert (took[5:] <= 5).mean() > 1.2 * (latencies <= 5).mean()
    assert reached[took <= 5].max() > np.quantile(accuracies[latencies <= 5], 0.97)


def measured(path: Path, *names: str) -> list[np.ndarray]:
    """Return the measured values of a search by name, in the order of its trials."""
    records = sorted(
        map(json.loads, path.read_text().splitlines()), key=lambda record: record["trial"]
    )
    return [np.array([record["properties"][name] for record in records]) for name in names]


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


def test_a_search_ends_where_the_limits_leave_nothing(run_main: RunCli, tmp_path: Path) -> None:
    (tmp_path / "few.py").write_text(
        "from diffusionnag import SearchSpace\n"
        "class Few(SearchSpace):\n"
        "    name = 'few'\n"
        "    nodes = ('stem', 'body', 'head')\n"
        "    operations = ('conv', 'pool', 'skip')\n"
        "    edges = ((0, 1), (1, 2))\n"
        "    def analytic_properties(self, architecture):\n"
        "        return {'convs': sum('conv' == name for name in self.operation_names(architecture))}\n"
        "def value(architecture):\n"
        "    return float(sum(architecture.operations))\n"
    )
    options = ("--objective", "python:few.py:value", "--limit", "convs<=0")
    options += ("--strategy", "mutation", "--storage", "sqlite:///few.db", "--out", "found.jsonl")
    for trials in (20, 21):
        result = run_main("search", "few.py:Few", *options, "--trials", trials)
        assert result.returncode == 0, result.stderr
        assert "after 8 trials nothing was left to propose within the limits" in result.stderr
        lines = (tmp_path / "found.jsonl").read_text().splitlines()
        assert len({json.loads(line)["architecture"] for line in lines}) == 8 == len(lines)


@pytest.mark.usefixtures("data_folder")
def test_the_seed_alone_decides_a_front(run_main: RunCli, tmp_path: Path) -> None:
    options = ("--objective", ACCURACY, "--objective", f"{LATENCY}=min", "--trials", 8)
    options += ("--strategy", "mutation+random")
    outputs = []
    for name in ("one.jsonl", "two.jsonl"):
        result = run_main("search", "nasbench201", *options, "--out", name)
        assert result.returncode == 0, result.stderr
        outputs.append((tmp_path / name).read_text())
        torch.rand(3)
    assert outputs[0] == outputs[1]
