"""How far what a search says of itself can be trusted: chances of better ones, intervals of its best."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna

from diffusionnag.search.objectives import optuna_objective, read_objective
from diffusionnag.search.searchers import new_searcher
from diffusionnag.spaces import get_search_space
from experiments.result_table import ResultTable
from experiments.search.search_runs import Benchmark, Keyed, keep_searches
from experiments.search.suite import Scale, halves

SEEDS = range(10)
SHOWN = (20, 40)
STRATEGY = "mutation+random"
"""How these searches find what they measure: in a fifth of the time that guided ones take."""
SPACES = ("nasbench201", "transnas", "nasbench_macro")
"""Spaces in which a search takes seconds and every value is known."""
SAID = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Bounds of the chances that are told apart."""
WITHIN = 1.96
"""Deviations that 95 % of what is normal lie within."""


@dataclass(frozen=True)
class Judged(Keyed):
    """One search whose outlook is compared with the truth after 20 and 40 measurements."""

    benchmark: Benchmark
    seed: int

    @property
    def title(self) -> str:
        """Return what the search is called where progress is shown."""
        return f"{self.benchmark.name}, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return, for each number of measurements: what chance it gave, whether a candidate was better,
        the regret, and how far the best by all measurements is from its mean, in its deviations.
        """
        space = get_search_space(self.benchmark.space)
        measure = read_objective(self.benchmark.searched, space)
        scale = Scale.of(self.benchmark)
        sampler = new_searcher("diffusionnag", space, seed=self.seed, strategy=STRATEGY)
        guided = new_searcher("diffusionnag", space, seed=self.seed)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        rows = []
        for shown in SHOWN:
            study.optimize(optuna_objective(space, measure), shown - len(study.trials))
            outlook = guided.outlook(study)
            assert outlook is not None
            candidates = [float(measure(each)) for each in outlook.candidates]  # type: ignore[arg-type]
            better = max(candidates, default=-np.inf) > study.best_value
            regret = scale.regret(np.array(study.best_value), scale.best)
            best = float(measure(outlook.architectures[0]))  # type: ignore[arg-type]
            error = (best - outlook.means[0]) / outlook.deviations[0]
            rows.append([outlook.chance_of_better, float(better), float(regret), float(error)])
        return rows


def outlook(report: Callable[[str], None]) -> ResultTable:
    """Return how often a better one was left where searches gave some chance of it."""
    benchmarks = [each for each in halves()[1] if each.space in SPACES]
    searches = [Judged(benchmark, seed) for seed in SEEDS for benchmark in benchmarks]
    kept = keep_searches(searches, report)
    judged = np.array([kept[search] for search in searches])
    rows = []
    for place, shown in enumerate(SHOWN):
        chance, better, regret, error = judged[:, place].T
        for least, most in itertools.pairwise(SAID):
            chosen = (chance >= least) & ((chance < most) | (most == 1))
            if not chosen.any():
                continue
            rows.append(
                (
                    str(shown),
                    f"{100 * least:g} to {100 * most:g} %",
                    str(chosen.sum()),
                    f"{100 * chance[chosen].mean():.0f} %",
                    f"{100 * better[chosen].mean():.0f} %",
                    " / ".join(f"{100 * at:.1f}" for at in np.quantile(regret[chosen], (0.5, 0.9))),
                    f"{100 * (np.abs(error[chosen]) < WITHIN).mean():.0f} %",
                )
            )
    return ResultTable(
        title="What searches say of themselves, and what is true",
        columns=(
            "measured",
            "chance given",
            "searches",
            "mean chance",
            "a candidate was better",
            "regret, median / 90 %",
            "best within 1.96 deviations",
        ),
        rows=tuple(rows),
        notes=(
            f"{len(benchmarks)} tables of the suite's judging half (spaces {', '.join(SPACES)}), "
            f"{len(SEEDS)} seeds each. What is measured is found by {STRATEGY}, which takes a fifth of "
            "the time; the outlook, and its candidates, are those of the default search.",
            "Chance: what the outlook gives that one of its candidates is truly better than all that "
            "were measured; beside it how often one was. Regret: of the best measured, in % of the "
            "distance from the table's median to its best.",
            "Last column: how often the value of the best by all measurements lies within 1.96 of its "
            "deviations from its mean. Tables have no noise, but the surrogate expects some.",
            *_sharpness(judged),
        ),
    )


def _sharpness(judged: np.ndarray) -> tuple[str, ...]:
    """Say how well the chances tell searches apart, by their mean log-loss."""

    def loss(chance: np.ndarray, better: np.ndarray) -> float:
        said = np.clip(np.where(better == 1, chance, 1 - chance), 0.002, 1)
        return float(-np.log(said).mean())

    words = []
    for place, shown in enumerate(SHOWN):
        chance, better = judged[:, place, 0], judged[:, place, 1]
        always = loss(np.full(len(better), better.mean()), better)
        words.append(f"{loss(chance, better):.3f} after {shown} ({always:.3f})")
    return (
        f"Mean log-loss of the chances (of one that always says how often it is so): {', '.join(words)}.",
    )
