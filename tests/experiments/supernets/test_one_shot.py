"""Experiments on shared weights: what they report, and that they are resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.kept_results import kept_folder
from experiments.supernets import darts_collapse, one_shot, supernet_ranking


def tiny(monkeypatch: pytest.MonkeyPatch, module: Any, kept: Path) -> None:
    monkeypatch.setattr("experiments.kept_results.RUNS", kept)
    for name, value in {"IMAGES": 200, "EPOCHS": 1, "SEEDS": (0, 1)}.items():
        monkeypatch.setattr(module, name, value)


def test_one_shot_reports_the_table_accuracy_of_the_cells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_folder: Path
) -> None:
    tiny(monkeypatch, one_shot, tmp_path)
    monkeypatch.setattr(one_shot, "ALGORITHMS", ("gdas",))
    # A search that ended before is not repeated.
    best = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    ended = kept_folder("one-shot") / "gdas-1"
    ended.mkdir(parents=True)
    (ended / "found.json").write_text(json.dumps({"cell": best, "seconds": 60.0}))
    table = one_shot.one_shot(lambda text: None)
    ((name, _, by_seed, skips, _, paper),) = table.rows
    assert (name, paper) == ("gdas", "93.61 ± 0.09")
    assert by_seed.split(" / ")[1] == "94.36"
    assert skips.split(" / ")[1] == "1"


def test_ranking_reports_what_shared_weights_say_of_random_cells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_folder: Path
) -> None:
    tiny(monkeypatch, supernet_ranking, tmp_path)
    monkeypatch.setattr(supernet_ranking, "SEEDS", (0,))
    monkeypatch.setattr(supernet_ranking, "RANKED", 8)
    first = supernet_ranking.supernet_ranking(lambda text: None)
    assert -1 <= float(first.rows[0][1]) <= 1
    assert supernet_ranking.supernet_ranking(lambda text: None).rows == first.rows


def test_collapse_reports_the_cells_of_one_search(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_folder: Path
) -> None:
    tiny(monkeypatch, darts_collapse, tmp_path)
    for name, value in {"EPOCHS": 2, "SHOWN": (1, 2)}.items():
        monkeypatch.setattr(darts_collapse, name, value)
    table = darts_collapse.darts_collapse(lambda text: None)
    assert [row[0] for row in table.rows] == ["1", "2"]
    for _, _, by_seed, skips, convolutions in table.rows:
        assert len(by_seed.split(" / ")) == 2
        for skip, convolution in zip(skips.split(" / "), convolutions.split(" / "), strict=True):
            assert 0 <= int(skip) + int(convolution) <= 6
    kept = sorted(path.name for path in tmp_path.rglob("cells.json"))
    assert kept == ["cells.json"] * 2
    # What ended before is not searched again.
    monkeypatch.setattr(darts_collapse, "search_cell", None)
    assert darts_collapse.darts_collapse(lambda text: None).rows == table.rows
