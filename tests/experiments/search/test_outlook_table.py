"""What searches say of themselves against the truth: the experiment's rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.search import outlook
from experiments.search.search_runs import Benchmark

COLUMN = "table:nasbench201_accuracy:cifar10_test_200ep"
SHORT = Benchmark("nasbench201 short", "nasbench201", COLUMN, COLUMN, trials=8)


@pytest.mark.usefixtures("one_core", "data_folder", "few_candidates")
def test_every_search_is_in_one_row_of_each_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(outlook, "SHOWN", (6, 8))
    monkeypatch.setattr(outlook, "SEEDS", range(2))
    monkeypatch.setattr(outlook, "halves", lambda: ([], [SHORT]))
    table = outlook.outlook(lambda text: None)
    for shown in ("6", "8"):
        assert sum(int(row[2]) for row in table.rows if row[0] == shown) == 2
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert "log-loss" in table.notes[-1]
