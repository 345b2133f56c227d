"""The suite of search objectives: its halves, its scale, its noise and its table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.search import suite
from experiments.search.rank_picture import critical_difference
from experiments.search.search_runs import Benchmark, Run, Searcher, run_searches
from experiments.search.suite import Scale, halves, judged, with_noise

pytestmark = pytest.mark.usefixtures("one_core")
COLUMN = "table:nasbench201_accuracy:cifar10_test_200ep"
CLEAN = Benchmark("clean", "nasbench201", COLUMN, COLUMN, trials=12)


def test_what_judges_was_not_chosen_by() -> None:
    choosing, judging = halves()
    names = [{benchmark.name for benchmark in half} for half in (choosing, judging)]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == len(choosing) + len(judging) == 27
    for half in (choosing, judging):
        assert {benchmark.space for benchmark in half} > {
            "nasbench201",
            "nasbench_graph",
            "transnas",
        }


def test_what_was_chosen_by_stays_when_objectives_are_added() -> None:
    choosing, judging = halves()
    names = [benchmark.name for benchmark in choosing]
    assert names[:3] == [
        "nasbench201 cifar100_test_200ep",
        "nasbench201 imagenet16_test_200ep",
        "nasbench201 pgd_1",
    ]
    assert names[-2:] == ["transnas segmentsemantic", "mobilenetv3 imagenet_top1@224"]
    assert [each.space for each in judging[-3:]] == ["mnasnet", "nasbench_macro", "gpt2"]


@pytest.mark.usefixtures("data_folder")
def test_noise_is_a_share_of_how_values_spread() -> None:
    (noisy,) = with_noise([CLEAN])
    assert Scale.of(CLEAN).quartiles > 0
    assert noisy.noise == 0.25 * Scale.of(CLEAN).quartiles
    assert (noisy.searched, noisy.reported) == (CLEAN.searched, CLEAN.reported)
    assert noisy.name != CLEAN.name


@pytest.mark.usefixtures("data_folder")
def test_regret_runs_from_the_median_to_the_best() -> None:
    scale = Scale.of(CLEAN)
    assert scale.best == pytest.approx(94.37, abs=0.005)
    regret = scale.regret(np.array([scale.median, scale.best]), best=0)
    np.testing.assert_allclose(regret, [1, 0])
    assert scale.regret(np.array([scale.best]), best=2 * scale.best - scale.median)[0] == 0.5


@pytest.mark.usefixtures("data_folder")
def test_noise_belongs_to_an_architecture_and_the_truth_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    noisy = replace(CLEAN, noise=2.0)
    runs = {each: Run(each, Searcher("random"), 0, 12) for each in (CLEAN, noisy)}
    outcomes = run_searches(list(runs.values()), lambda text: None)
    truth, seen = outcomes[runs[CLEAN]], outcomes[runs[noisy]]
    np.testing.assert_array_equal(truth.searched, seen.reported)
    added = seen.searched - seen.reported
    assert 0.8 < added.std() < 4
    again = replace(runs[noisy], trials=9)
    np.testing.assert_array_equal(
        run_searches([again], lambda text: None)[again].searched, seen.searched[:9]
    )


@pytest.mark.usefixtures("data_folder")
def test_the_table_ranks_every_searcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    searchers = (Searcher("local-search"), Searcher("random"), Searcher("rea"))
    monkeypatch.setattr(suite, "SEARCHERS", searchers)
    monkeypatch.setattr(suite, "RIVALS", searchers[2:])
    table = judged([CLEAN], "one", lambda text: None, range(3))
    objective, mean, ranks = table.rows
    assert objective[0] == "clean"
    assert objective[1:] == mean[1:]
    by_trials = zip(*(map(float, cell.split(" / ")) for cell in ranks[1:]), strict=True)
    assert all(sum(row) == 6 for row in by_trials)
    assert table.picture is not None
    table.picture(tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").read_bytes().startswith(b"\x89PNG")


def test_more_objectives_tell_closer_ranks_apart() -> None:
    # Demsar 2006, Table 5: q = 2.850 for six, so that 2.850 * sqrt(6 * 7 / (6 * 30)) = 1.377.
    assert critical_difference(6, 30) == pytest.approx(1.377, abs=0.002)
    assert critical_difference(6, 120) == pytest.approx(critical_difference(6, 30) / 2)
