"""Searches by several workers: how many run at once, and what the table compares."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.search import batches
from experiments.search.batches import BatchRun
from experiments.search.search_runs import Benchmark

pytestmark = pytest.mark.usefixtures("one_core", "data_folder")
COLUMN = "table:nasbench201_accuracy:cifar10_test_200ep"
SHORT = Benchmark("nasbench201 short", "nasbench201", COLUMN, COLUMN, trials=10)


@pytest.fixture(autouse=True)
def few_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batches, "SHOWN", (8, 10))
    monkeypatch.setattr(batches, "SEEDS", range(2))


def test_workers_measure_as_many_and_begin_alike() -> None:
    values = {
        arm: BatchRun(SHORT, *arm, seed=0).search()[0]
        for arm in ((1, False), (3, False), (3, True), (10, False))
    }
    assert {len(each) for each in values.values()} == {10}
    # Before five have ended nothing is learnt: with three workers seven are drawn.
    assert values[3, False][:7] == values[3, True][:7] == values[10, False][:7]
    assert values[1, False][:5] == values[10, False][:5]
    assert values[1, False] != values[3, False] != values[10, False]


def test_the_table_has_a_row_for_each_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ARMS", ((1, False), (3, True), (3, False)))
    monkeypatch.setattr(batches, "halves", lambda: ([], [SHORT]))
    monkeypatch.setattr(batches, "COLUMNS", ("short",))
    table = batches.batches(lambda text: None)
    assert [row[0] for row in table.rows] == ["1", "3", "3"]
    assert [row[-1] == "-" for row in table.rows] == [True, True, False]
    assert all(len(row) == len(table.columns) for row in table.rows)
