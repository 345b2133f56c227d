"""Repeated searches: that they are kept, go on after an interruption, and are summed up rightly."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from diffusionnag._confidence import interval
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report import plot_curves
from diffusionnag.search.objectives import read_objective
from diffusionnag.spaces import get_search_space
from experiments import EXPERIMENTS, get_experiment
from experiments.search.search_curves import better
from experiments.search.search_runs import (
    Benchmark,
    Outcome,
    Run,
    Searcher,
    median_to_goal,
    run_searches,
)

NASBENCH201 = get_search_space("nasbench201")
pytestmark = pytest.mark.usefixtures("one_core")
COLUMN = "table:nasbench201_accuracy:cifar10_test_200ep"
OTHER = "table:nasbench201_accuracy:cifar100_test_200ep"
SHORT = Benchmark("short", "nasbench201", COLUMN, OTHER, trials=7)
RUNS = [Run(SHORT, Searcher(name), seed, 7) for name in ("random", "rea") for seed in (0, 1)]


@pytest.mark.slow
@pytest.mark.usefixtures("data_folder")
def test_searches_are_kept_and_go_on_after_a_line_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    first = run_searches(RUNS, said.append)
    assert [line.split(" searches")[0] for line in said] == [f"{at} of 4" for at in (1, 2, 3, 4)]
    (kept,) = (tmp_path / "runs" / "searches").iterdir()
    text = kept.read_text()
    kept.write_text(text[:-20])

    said.clear()
    again = run_searches(RUNS, said.append)
    assert len(said) == 1
    measure = read_objective(COLUMN, NASBENCH201)
    for run in RUNS:
        assert first[run].searched.tolist() == again[run].searched.tolist()
        values = [measure(cell) for cell in again[run].architectures(NASBENCH201)]
        assert again[run].searched.tolist() == values
        assert len(set(first[run].searched.tolist())) == 7
    assert kept.read_text().count("\n") == 5
    said.clear()
    run_searches(RUNS, said.append)
    assert said == []


@pytest.mark.usefixtures("data_folder")
def test_a_run_ends_at_the_best_of_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    benchmark = Benchmark("easy", "nasbench201", COLUMN, COLUMN, trials=60, decimals=-1)
    assert benchmark.goal == 90
    run = Run(benchmark, Searcher("random"), 3, 60)
    values = run_searches([run], lambda text: None)[run].searched
    assert values[-1] >= 85 > max(values[:-1], default=0)
    exact = Benchmark("exact", "nasbench201", COLUMN, COLUMN, trials=60, decimals=2)
    assert exact.goal == 94.37
    assert exact.is_goal(94.366)
    assert not exact.is_goal(94.36)


@pytest.mark.usefixtures("data_folder")
def test_a_run_may_end_at_one_of_several_best() -> None:
    several = Benchmark("several", "nasbench201", COLUMN, COLUMN, trials=9, decimals=2, goals=3)
    best = Benchmark("best", "nasbench201", COLUMN, COLUMN, trials=9, decimals=2)
    assert 94.3 < several.goal < best.goal
    assert several.is_goal(best.goal)
    ended = [Outcome(np.array([90.0] * count + [94.37]), np.zeros(count + 1)) for count in (1, 4)]
    given_up = Outcome(np.full(9, 90.0), np.zeros(9))
    assert median_to_goal(several, [*ended, given_up], 9) == "5 (2 to > 9)"
    assert median_to_goal(several, [ended[0], given_up, given_up], 9) == "> 9 (2 to > 9)"


def test_the_best_so_far_is_that_of_the_searched_value() -> None:
    outcome = Outcome(np.array([3.0, 1.0, 4.0, 4.0]), np.array([30.0, 90.0, 20.0, 99.0]))
    assert outcome.best_so_far(6).tolist() == [30, 30, 20, 20, 20, 20]
    assert outcome.best_so_far(2).tolist() == [30, 30]


def test_what_is_better_over_all_seeds_is_significant() -> None:
    rng = np.random.default_rng(0)
    curves = rng.normal(size=(10, 5))
    assert better(curves + 1, curves) == "0.001"
    assert better(curves, curves + 1) == "1.000"
    assert better(curves, curves) == "1.000"
    assert 0.05 < float(better(curves, rng.normal(size=(10, 5)))) < 0.95


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(10, 4_000))
    covered = np.abs(draws.mean(0)) <= interval(draws)
    assert covered.mean() == pytest.approx(0.95, abs=0.015)


def test_curves_are_drawn_with_one_legend(tmp_path: Path) -> None:
    steps = np.linspace(60, 70, 20)
    panel = {name: (steps + at, np.full(20, 0.5)) for at, name in enumerate(("ours", "theirs"))}
    words = {"xlabel": "measured", "ylabel": "best, %", "title": "A title", "caption": "ten seeds"}
    panels = {f"task {at}": panel for at in range(4)}
    plot_curves(panels, tmp_path / "curves.svg", **words)
    text = (tmp_path / "curves.svg").read_text()
    assert len(re.findall(r">task \d<", text)) == 4
    for once in ("ours", "theirs", "A title", "ten seeds"):
        assert text.count(f">{once}<") == 1
    with pytest.raises(DiffusionNAGError, match="no curves"):
        plot_curves({}, tmp_path / "none.svg", **words)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_be_loaded(name: str) -> None:
    assert callable(get_experiment(name))


def test_unknown_experiments_are_refused() -> None:
    with pytest.raises(DiffusionNAGError, match="no experiment 'figure9'; known: validity"):
        get_experiment("figure9")
