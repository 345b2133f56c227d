"""Searches for two objectives: what the table of their hypervolumes says."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.search import language_model_trade_off as trade_off


@pytest.mark.usefixtures("data_folder", "one_core", "few_candidates")
def test_hypervolumes_grow_and_stay_within_the_rectangle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"SEEDS": range(2), "TRIALS": 8, "OF_GP": 6, "SHOWN": (3, 6, 8)}.items():
        monkeypatch.setattr(trade_off, name, value)
    monkeypatch.setattr(trade_off, "STRATEGIES", ("guided", "random"))
    table = trade_off.language_model_trade_off(lambda text: None)
    assert [row[0] for row in table.rows] == ["guided", "random", "TPE", "NSGA-II", "GP"]
    for row in table.rows:
        volumes = [float(cell.split(" ")[0]) for cell in row[1:4] if cell != "-"]
        assert 0 < volumes[0] <= volumes[-1] < 1.2
        assert len(volumes) == (2 if row[0] == "GP" else 3)
    assert table.picture is not None
    table.picture(tmp_path / "curves.svg")
