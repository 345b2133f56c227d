"""Searches for GPT-2 shapes within a limit: what counts as measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.search.language_model_search import LimitedRun, run_searches

RUNS = [LimitedRun(0.3, searcher, 0, 8) for searcher in ("random", "TPE", "NSGA-II")]


@pytest.mark.usefixtures("data_folder", "one_core")
def test_every_searcher_measures_so_many_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcomes = run_searches(RUNS, lambda text: None)
    values = [outcomes[run].searched for run in RUNS]
    assert {len(of_one) for of_one in values} == {8}
    # None of the wide shapes, whose perplexity is below 30, is as quick as a third of the table.
    assert min(of_one.min() for of_one in values) > 35
    assert len({tuple(of_one) for of_one in values}) == 3
