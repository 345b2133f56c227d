"""The experiment on what a budget should be spent on: what it reports, and its picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.predictors import ranking_budget
from experiments.supernets import supernet_ranking


def test_it_reports_costs_and_ranks_of_each_way_to_know(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_folder: Path
) -> None:
    small = {
        "SEEDS": (0, 1),
        "LABELS": (5, 20),
        "EVALUATED": (6,),
        "SCORED": (6,),
        "TIMED_CELLS": 2,
    }
    for name, value in (small | {"SUPERNET_IMAGES": 200, "EVERY": 40}).items():
        monkeypatch.setattr(ranking_budget, name, value)
    monkeypatch.setattr("experiments.kept_results.RUNS", tmp_path)
    for name, value in {"EPOCHS": 1, "RANKED": 6}.items():
        monkeypatch.setattr(supernet_ranking, name, value)
    table = ranking_budget.ranking_budget(lambda text: None)
    rows = {
        (kind, cells): (float(cost.replace(",", "")), tau) for kind, cells, cost, tau in table.rows
    }
    few, many = (rows[ranking_budget.FULL, count] for count in ("5", "20"))
    assert many[0] == pytest.approx(4 * few[0], rel=0.01)
    assert float(few[1].split()[0]) < float(many[1].split()[0])
    short = rows[ranking_budget.SHORT, "5"]
    # 12 epochs of half of the images, for 200 of all.
    assert short[0] == pytest.approx(few[0] * 12 / 400, rel=0.01)
    both = rows[f"{ranking_budget.SHORT}{ranking_budget.AND_BOTH}", "5"]
    assert both[0] >= short[0]
    assert float(both[1].split()[0]) > float(short[1].split()[0])
    shared, proxies, joined = (
        rows[name, "6"]
        for name in (
            ranking_budget.SUPERNET,
            ranking_budget.PROXIES,
            f"{ranking_budget.SUPERNET}{ranking_budget.AND_PROXIES}",
        )
    )
    assert joined[0] == pytest.approx(shared[0] + proxies[0], abs=0.02)
    assert len({tau for _, tau in (shared, proxies, joined)}) == 3
    assert table.picture is not None
    table.picture(tmp_path / "budget.png")
    assert (tmp_path / "budget.png").stat().st_size > 0
