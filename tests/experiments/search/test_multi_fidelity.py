"""Searches that end trainings early: what they spend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.search import multi_fidelity
from experiments.search.multi_fidelity import CurveRun

pytestmark = pytest.mark.usefixtures("data_folder", "one_core", "few_candidates")


def test_pruned_trainings_cost_little_and_whole_ones_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(multi_fidelity, "CAP", 10.0)
    monkeypatch.setattr(multi_fidelity, "GOALS", {"CIFAR-10": 101.0})
    (spent,), (trials,) = CurveRun("CIFAR-10", "random", "none", 0).search()
    assert (spent, trials) == (np.inf, 10)
    (_,), (pruned,) = CurveRun("CIFAR-10", "random", "asha", 0).search()
    assert pruned > 12


def test_the_table_has_a_row_for_each_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(multi_fidelity, "SEEDS", range(2))
    monkeypatch.setattr(multi_fidelity, "CAP", 8.0)
    monkeypatch.setattr(multi_fidelity, "GOALS", {"CIFAR-100": 69.0})
    monkeypatch.setattr(
        multi_fidelity, "PAIRS", (("diffusionnag", "asha"), ("random", "hyperband"))
    )
    table = multi_fidelity.multi_fidelity(lambda text: None)
    assert [row[0] for row in table.rows] == ["diffusionnag, asha", "random, hyperband (Hyperband)"]
    assert all(len(row) == len(table.columns) for row in table.rows)
