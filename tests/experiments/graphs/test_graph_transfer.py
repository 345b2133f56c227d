"""Transfer between graph data sets: which of them count, and how a ranking is judged."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diffusionnag.spaces import get_search_space
from diffusionnag.tables.nasbench_graph import COMPLETE_DATASETS
from experiments.graphs import graph_tasks
from experiments.graphs.graph_search import GOALS, median_of_draws
from experiments.graphs.graph_tasks import Task
from experiments.graphs.graph_transfer import best_length, similarity

SPACE = get_search_space("nasbench_graph")
NETWORKS = SPACE.sample(400, 0)


def test_similar_data_sets_count_more() -> None:
    others = [dataset for dataset in COMPLETE_DATASETS if dataset != "cora"]
    weights = similarity("cora", others, 1.0)
    assert sum(weights.values()) == pytest.approx(1)
    assert max(weights, key=lambda dataset: weights[dataset]) == "citeseer"
    assert weights["arxiv"] < 0.01
    assert set(similarity("cora", others, math.inf).values()) == {1 / 7}


def test_the_length_is_the_one_that_predicts_known_data_sets() -> None:
    rng = np.random.default_rng(0)
    alike, other = rng.normal(size=(2, 300))
    citations = {"cora", "citeseer", "pubmed"}
    scores = {
        dataset: (alike if dataset in citations else other) + 0.1 * rng.normal(size=300)
        for dataset in COMPLETE_DATASETS[:-1]
    }
    assert best_length(COMPLETE_DATASETS[:-1], scores) <= 2
    same = {dataset: alike + rng.normal(size=300) for dataset in COMPLETE_DATASETS[:-1]}
    assert best_length(COMPLETE_DATASETS[:-1], same) >= 4


def test_a_ranking_is_judged_by_what_it_loses() -> None:
    distinct = list(dict.fromkeys(NETWORKS))
    values = np.linspace(50, 60, len(distinct))
    task = Task(SPACE, distinct, values, values)
    assert task.regrets(distinct[::-1]) == "0.00 / 0.00 (1)"
    lost = 10 * (len(distinct) - 1 - 4) / (len(distinct) - 1)
    assert task.regrets(distinct[:50]) == f"10.00 / {lost:.2f} (> 50)"


@pytest.mark.slow
def test_a_search_learns_from_other_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_tasks, "CAP", 25)
    networks = list(SPACE.enumerate())
    hidden = np.random.default_rng(0).permutation(len(networks)).astype(float)
    task = Task(SPACE, networks, hidden, hidden)
    # Only what another data set says tells good networks from bad; drawing finds one in a thousand.
    assert task.search(networks[:5], hidden[:, None], 0) <= 25
    monkeypatch.setattr(graph_tasks, "CAP", 7)
    blind = np.random.default_rng(1).normal(size=(len(networks), 1))
    assert task.search(networks[:5], blind, 0) == math.inf


def test_uniform_draws_meet_one_of_the_best_half_of_the_time() -> None:
    median = median_of_draws(26_206)
    rng = np.random.default_rng(0)
    first = np.array([rng.permutation(26_206)[:GOALS].min() for _ in range(2_000)])
    assert (first < median).mean() == pytest.approx(0.5, abs=0.04)
