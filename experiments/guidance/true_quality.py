"""How good random, sorted and guided cells truly are, by the number of labels: rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from diffusionnag.generation.best import find_best
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance.properties import Property
from diffusionnag.spaces import Architecture
from experiments.measured_data import Truth
from experiments.statistics import mean_and_std

SEEDS = (0, 1, 2)
CANDIDATES = 10_000
ABOUT_BEST = "Best: of all cells by the same predictor, as `generate` hands out without `--sample`."
COLUMNS = ("labelled", "cells", "max", "mean", "min", "distinct", "gap closed %")

Report = Callable[[str], None]
PredictorOfSeed = Callable[[int], Property]


@dataclass(frozen=True, eq=False)
class TrueQuality:
    """Compares groups of `count` cells, by how they were made.

    Sorted ones are the best of as many unguided candidates; guided ones are distinct samples; best
    ones are what is handed out unless samples are asked for. `first` keeps the cells of the first
    seed, by what was labelled and how they were made.
    """

    generator: Generator
    count: int
    candidates: Mapping[int, Sequence[Architecture]]
    first: dict[tuple[str, str], Sequence[Architecture]] = field(default_factory=dict)

    @classmethod
    def of(cls, generator: Generator, count: int, report: Report) -> TrueQuality:
        """Return a comparison whose unguided candidates are drawn."""
        report(f"{CANDIDATES:,} unguided candidates for each seed")
        candidates = {
            seed: generator.sample(CANDIDATES, sampling=Sampling(seed=seed)).architectures
            for seed in SEEDS
        }
        return cls(generator, count, candidates)

    def rows(
        self, truth: Truth, predictors: Mapping[str, PredictorOfSeed], report: Report
    ) -> list[tuple[str, ...]]:
        """Return the rows of one measured property; `predictors` by what is labelled."""
        space = self.generator.search_space
        rows = [
            ("-", "oracle", *_figures(truth, [truth.best(self.count)], [self.count])),
            self._row(truth, "-", "random", [space.sample(self.count, seed) for seed in SEEDS]),
        ]
        for share, predictor_of in predictors.items():
            ranked, guided, best = [], [], []
            for seed in SEEDS:
                report(f"labelled: {share}; seed {seed}")
                predictor, candidates = predictor_of(seed), self.candidates[seed]
                order = np.argsort(-predictor.normal_score(candidates), kind="stable")
                ranked.append([candidates[row] for row in order[: self.count]])
                samples = self.generator.sample(
                    self.count, guide=predictor, distinct=True, sampling=Sampling(seed=seed)
                )
                guided.append(samples.architectures)
                best.append(find_best(space, self.count, guide=predictor).architectures)
            rows.append(self._row(truth, share, "unguided and sorted", ranked))
            rows.append(self._row(truth, share, "guided", guided))
            rows.append(self._row(truth, share, "best", best))
        return rows

    def _row(
        self, truth: Truth, share: str, kind: str, groups: Sequence[Sequence[Architecture]]
    ) -> tuple[str, ...]:
        self.first[share, kind] = groups[0]
        values = [truth.values(self.generator.search_space, group) for group in groups]
        return (share, kind, *_figures(truth, values, [len(set(group)) for group in groups]))


def _figures(
    truth: Truth, values: Sequence[np.ndarray], distinct: Sequence[int]
) -> tuple[str, ...]:
    means = [float(group.mean()) for group in values]
    closed = [truth.closed(group) for group in values]
    return (
        f"{max(group.max() for group in values):.2f}",
        mean_and_std(means) if len(means) > 1 else f"{means[0]:.2f}",
        f"{min(group.min() for group in values):.2f}",
        f"{np.mean(distinct):.0f}",
        mean_and_std(closed) if len(closed) > 1 else f"{closed[0]:.2f}",
    )
