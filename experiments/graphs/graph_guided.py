"""Guided generation of graph networks: operations and wiring for eight datasets from few labels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.generation.generator import Generator
from diffusionnag.generation.sampling import Sampling
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture
from diffusionnag.tables import Table
from diffusionnag.tables.nasbench_graph import COMPLETE_DATASETS, NAS_BENCH_GRAPH
from experiments.measured_data import required_table
from experiments.result_table import ResultTable

SPACE = "nasbench_graph"
LABELLED = 262
"""One in a hundred of the space."""
ROUNDS, PER_ROUND, AMONG = 3, 50, 200
"""Labels chosen in rounds: random ones first, then, each time, so many of those generated."""
SAMPLES = 500
SEED = 0


def graph_guided(report: Callable[[str], None]) -> ResultTable:
    """Return which part of the gap to the true best 500 distinct guided networks close.

    Raises DiffusionNAGError where nas-bench-graph is not installed.
    """
    generator = Generator.from_pretrained(SPACE)
    table = required_table(SPACE, NAS_BENCH_GRAPH)
    networks = [generator.search_space.parse(text) for text in table.architectures]
    rows = []
    for dataset in COMPLETE_DATASETS:
        study = _Study(generator, table, networks, dataset)
        report(f"{dataset}: {LABELLED} random labels")
        random_rows = np.random.default_rng(SEED).permutation(len(networks))[:LABELLED]
        predictor = study.fit(random_rows)
        guided = study.generate(predictor)
        own = np.argsort(-predictor.normal_score(networks))[:SAMPLES]
        validated = np.argsort(-table.column(f"{dataset}_validation"), kind="stable")[:SAMPLES]
        report(f"{dataset}: within a latency limit")
        limited = study.gap_within_latency(predictor, random_rows)
        report(f"{dataset}: labels in rounds")
        in_rounds = study.generate(study.fit(study.label_in_rounds()))
        closed = (study.gap(part) for part in (guided, own, in_rounds, validated))
        rows.append(
            (
                *(dataset, f"{study.accuracy.mean():.2f}"),
                *(f"{study.accuracy[part].mean():.2f}" for part in (guided, study.best)),
                *(f"{gap:.1f}" for gap in closed),
                f"{limited:.1f}",
            )
        )
    return ResultTable(
        title=f"True accuracy of {SAMPLES} distinct guided graph networks",
        columns=(
            *("dataset", "random", "guided", f"true top {SAMPLES}", "gap closed %"),
            *("predictor's own top %", "labels in rounds %", "by validation accuracy %"),
            "within a latency limit %",
        ),
        rows=tuple(rows),
        notes=(
            f"Mean test accuracy in %, from {NAS_BENCH_GRAPH}, and the part of the gap between random "
            f"and the true top {SAMPLES} that is closed. The predictor is fitted on {LABELLED} random "
            f"networks (1 % of the space) for each dataset; seed {SEED}.",
            f"Predictor's own top: the {SAMPLES} that it holds best among all 26,206, which guidance "
            f"cannot surpass but by luck. By validation accuracy: the {SAMPLES} with the highest "
            "measured validation accuracy, all 26,206 being measured; what is left shows how much of "
            "the oracle's lead is chance.",
            f"Labels in rounds: as many labels, {LABELLED - ROUNDS * PER_ROUND} of them random, then "
            f"{ROUNDS} times {PER_ROUND} of {AMONG} networks generated from what was labelled before.",
            "Within a latency limit: the median latency, predicted from the same labels; random and "
            f"the true top {SAMPLES} are those of the networks that truly keep it.",
            "Proteins is left out: only 2,021 of its networks were measured.",
        ),
    )


@dataclass(frozen=True, eq=False)
class _Study:
    """One dataset: its measured accuracies, and what is generated for it."""

    generator: Generator
    table: Table
    networks: Sequence[Architecture]
    dataset: str

    @property
    def accuracy(self) -> np.ndarray:
        """Test accuracy in % of each network, `count`."""
        return self.table.column(self.dataset)

    @property
    def best(self) -> np.ndarray:
        """The rows of the true best."""
        return np.argsort(-self.accuracy)[:SAMPLES]

    def fit(self, rows: np.ndarray, column: str | None = None) -> PropertyPredictor:
        """Return a predictor of the accuracy, or another column, that learnt from these rows."""
        name = column or self.dataset
        predictor = PropertyPredictor(self.generator.search_space, name)
        return predictor.fit([self.networks[row] for row in rows], self.table.column(name)[rows])

    def generate(self, predictor: PropertyPredictor, count: int = SAMPLES) -> np.ndarray:
        """Return the rows of distinct networks generated under a predictor's guidance."""
        networks = self.generator.sample(
            count, guide=predictor, distinct=True, sampling=Sampling(seed=SEED)
        )
        return self._rows(networks)

    def label_in_rounds(self) -> np.ndarray:
        """Return the rows labelled, each round's chosen by a predictor that learnt from the former."""
        rng = np.random.default_rng(SEED)
        rows = rng.permutation(len(self.networks))[: LABELLED - ROUNDS * PER_ROUND]
        for _ in range(ROUNDS):
            promising = np.setdiff1d(self.generate(self.fit(rows), AMONG), rows)
            rows = np.concatenate([rows, rng.permutation(promising)[:PER_ROUND]])
        return rows

    def gap(self, rows: np.ndarray) -> float:
        """Return which part of the gap between random and the true best is closed, in %."""
        return _closed(self.accuracy[rows], self.accuracy)

    def gap_within_latency(self, predictor: PropertyPredictor, labelled: np.ndarray) -> float:
        """Return the same among the networks of at most the median latency, predicted as well."""
        column = f"{self.dataset}_latency_ms"
        latency = self.table.column(column)
        limit = float(np.median(latency))
        guide = 1.0 * predictor + (self.fit(labelled, column) <= limit)
        networks = self.generator.sample(
            SAMPLES, guide=guide, distinct=True, sampling=Sampling(seed=SEED)
        )
        return _closed(self.accuracy[self._rows(networks)], self.accuracy[latency <= limit])

    @functools.cached_property
    def _row(self) -> dict[Architecture, int]:
        return {network: row for row, network in enumerate(self.networks)}

    def _rows(self, networks: Sequence[Architecture]) -> np.ndarray:
        return np.array([self._row[network] for network in networks])


def _closed(values: np.ndarray, everything: np.ndarray) -> float:
    oracle = np.sort(everything)[-SAMPLES:].mean()
    return 100 * (values.mean() - everything.mean()) / (oracle - everything.mean())
