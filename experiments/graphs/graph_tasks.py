"""Graph data sets as tasks: one is left out, and predictors of the others are what is known."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffusionnag.generation.generator import Generator
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import maximize
from diffusionnag.guidance.terms import merit
from diffusionnag.predictors import (
    FeaturesAnd,
    PathFeatures,
    ProcessOn,
    PropertyPredictor,
    RankGaussian,
)
from diffusionnag.search.proposers import MAGNITUDE, Proposer
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables import Table
from diffusionnag.tables.nasbench_graph import COMPLETE_DATASETS, NAS_BENCH_GRAPH
from experiments.graphs.graph_search import CAP, GOALS, SPACE, median_of_draws
from experiments.measured_data import required_table
from experiments.search.search_runs import propose_until_goal

LABELLED = 200
"""Networks of each of the seven data sets that are learnt from, the same on all."""
GENERATED = 64
WARM_UP = 5


@dataclass(frozen=True, eq=False)
class KnownDatasets:
    """All networks, and a predictor of the validation accuracy on each data set.

    `scores` are what each predictor says of the networks that were learnt from.
    """

    generator: Generator
    table: Table
    networks: Sequence[Architecture]
    predictors: Mapping[str, PropertyPredictor]
    scores: Mapping[str, np.ndarray]

    def task(self, target: str) -> Task:
        """Return the data set that is left out."""
        validation, test = (self.table.column(target + kind) for kind in ("_validation", ""))
        return Task(self.generator.search_space, self.networks, validation, test)

    def ranked_by(self, others: Sequence[str]) -> list[Architecture]:
        """Return all networks, the best first by the mean normal score in these complete tables."""
        columns = [self.table.column(f"{dataset}_validation") for dataset in others]
        scores = np.sum([RankGaussian.fit(column).to_normal(column) for column in columns], axis=0)
        return [self.networks[row] for row in np.argsort(-scores)]

    def generate(self, weights: Mapping[str, float]) -> list[Architecture]:
        """Return distinct networks generated under the weighted predictors, the best first."""
        guides = [maximize(self.predictors[dataset], weight) for dataset, weight in weights.items()]
        guide = functools.reduce(operator.add, guides)
        networks = self.generator.sample(
            GENERATED, guide=guide, distinct=True, sampling=Sampling(seed=0)
        )
        order = np.argsort(-merit(guide, self.generator.search_space, networks))
        return [networks[row] for row in order]


def learn(report: Callable[[str], None]) -> KnownDatasets:
    """Return all networks, and predictors fitted on the same 200 of them for each data set.

    Raises DiffusionNAGError where nas-bench-graph is not installed.
    """
    generator = Generator.from_pretrained(SPACE)
    space, table = generator.search_space, required_table(SPACE, NAS_BENCH_GRAPH)
    networks = [space.parse(text) for text in table.architectures]
    rows = np.random.default_rng(0).permutation(len(networks))[:LABELLED]
    labelled = [networks[row] for row in rows]
    report(f"learning from {LABELLED} networks of each data set")
    predictors = {}
    for dataset in COMPLETE_DATASETS:
        predictor = PropertyPredictor(space, dataset, magnitude=MAGNITUDE)
        predictors[dataset] = predictor.fit(labelled, table.column(f"{dataset}_validation")[rows])
    scores = {
        dataset: predictor.normal_score(labelled) for dataset, predictor in predictors.items()
    }
    return KnownDatasets(generator, table, networks, predictors, scores)


@dataclass(frozen=True, eq=False)
class Task:
    """A data set with the validation and test accuracy of each network of the space, `count`."""

    space: SearchSpace
    networks: Sequence[Architecture]
    validation: np.ndarray
    test: np.ndarray

    @functools.cached_property
    def row(self) -> Mapping[Architecture, int]:
        """The row of each network."""
        return {network: row for row, network in enumerate(self.networks)}

    @functools.cached_property
    def goal(self) -> float:
        """The validation accuracy from which a network counts among the best."""
        return float(np.sort(self.validation)[-GOALS])

    def regrets(self, ranked: Sequence[Architecture]) -> str:
        """Return what a ranking loses with its first, with its first five, and the first goal's place."""
        rows = [self.row[network] for network in ranked]
        first, five = (self.test.max() - self.test[rows[:count]].max() for count in (1, WARM_UP))
        place = self.place_of_goal(ranked)
        return f"{first:.2f} / {five:.2f} ({f'> {len(rows)}' if place is None else place})"

    def place_of_goal(self, ranked: Sequence[Architecture]) -> int | None:
        """Return the place of the first goal in a ranking, None if there is none."""
        goals = self.validation[[self.row[network] for network in ranked]] >= self.goal
        return int(goals.argmax()) + 1 if goals.any() else None

    def random_regrets(self) -> str:
        """Return the mean of the same for uniform draws."""
        draws = np.random.default_rng(0).integers(len(self.test), size=(10_000, WARM_UP))
        first, five = (
            (self.test.max() - self.test[draws[:, :count]].max(1)).mean() for count in (1, WARM_UP)
        )
        return f"{first:.2f} / {five:.2f} ({median_of_draws(len(self.test))})"

    def search(self, first: Sequence[Architecture], experience: np.ndarray, seed: int) -> float:
        """Return how many are measured until the goal, infinite where 150 are not enough.

        `experience` is what the predictors of other data sets say of each network,
        `count x data sets`.
        """
        known = _Lookup(self.space, self.networks, experience)
        features = FeaturesAnd(PathFeatures(self.space), known)
        proposer = Proposer(
            self.space,
            strategy="mutation+random",
            surrogate=lambda space: ProcessOn(space, lambda _: features),
        )
        values = propose_until_goal(
            proposer,
            lambda network: float(self.validation[self.row[network]]),
            lambda value: value >= self.goal,
            CAP,
            first=first,
            seed=seed,
        )
        return len(values) if values[-1] >= self.goal else math.inf


class _Lookup:
    """What predictors of other data sets say of each network of the space."""

    def __init__(
        self, space: SearchSpace, networks: Sequence[Architecture], experience: np.ndarray
    ) -> None:
        operations = np.array([network.operations for network in networks])
        self.base = len(space.operations) ** np.arange(operations.shape[1])
        codes = operations @ self.base
        order = codes.argsort()
        self.codes, self.experience = codes[order], torch.from_numpy(experience[order])

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return what they say, one group of `batch x data sets`, of one-hot `batch x N x F`."""
        codes = x.argmax(-1).numpy() @ self.base
        return [self.experience[np.searchsorted(self.codes, codes)]]
