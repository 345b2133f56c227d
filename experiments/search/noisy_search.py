"""Searches where each measurement has noise of its own: what is recommended at their end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import optuna

from diffusionnag.search.architecture_sampler import ArchitectureSampler
from diffusionnag.search.objectives import optuna_objective, read_objective
from diffusionnag.search.searchers import new_searcher
from diffusionnag.search.study import measured_trials, value_of
from diffusionnag.search.trials import recorded_architecture
from diffusionnag.spaces import Architecture, get_search_space
from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import test_accuracy
from experiments.search.search_runs import Outcome, run_searches
from experiments.statistics import mean_and_interval, p_above_zero

SEEDS = range(30)
SHOWN = (20, 40)
NOISE = 2.0
"""Deviation of a measurement, in points of accuracy."""
DATASETS = ("CIFAR-10", "CIFAR-100")
HIGHEST, BY_ALL = "the highest measured", "the best by all measurements"


@dataclass(frozen=True)
class Recommender:
    """Who searches, whether it is told of the noise, and which architecture is taken at the end."""

    searcher: str
    noisy: bool
    takes: str

    @property
    def label(self) -> str:
        """What the table calls it."""
        told = " --noisy" if self.noisy else ""
        return f"{self.searcher}{told}, {self.takes}"


OURS = Recommender("diffusionnag", noisy=True, takes=BY_ALL)
RECOMMENDERS = (
    OURS,
    Recommender("diffusionnag", noisy=False, takes=BY_ALL),
    Recommender("diffusionnag", noisy=False, takes=HIGHEST),
    *(Recommender(name, False, HIGHEST) for name in ("nas-bowl", "tpe", "rea", "random")),
)


@dataclass(frozen=True)
class NoisyRun:
    """One search of a data set's accuracies, each asked for with new noise."""

    dataset: str
    searcher: str
    noisy: bool
    seed: int

    @property
    def key(self) -> str:
        """Return the run as text, under which its outcome is kept."""
        return json.dumps({"noise": NOISE, **asdict(self)}, sort_keys=True)

    @property
    def title(self) -> str:
        """Return what the run is called where progress is shown."""
        return f"{self.dataset}, {self.searcher}, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return the true values of the highest measured, and of the best by all, after 20 and 40."""
        benchmark = test_accuracy(self.dataset)
        space = get_search_space(benchmark.space)
        true = read_objective(benchmark.reported, space)
        rng = np.random.default_rng(self.seed)

        def measure(architecture: Architecture) -> float:
            return float(true(architecture)) + NOISE * rng.normal()  # type: ignore[arg-type]

        noisy = True if self.noisy else None  # an option that baselines do not have
        sampler = new_searcher(self.searcher, space, seed=self.seed, noisy=noisy)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        highest, by_all = list[float](), list[float]()
        for shown in SHOWN:
            study.optimize(optuna_objective(space, measure), shown - len(study.trials))
            best = max(measured_trials(study), key=value_of)
            taken = [recorded_architecture(space, best), _by_all(sampler, study)]
            for values, architecture in zip((highest, by_all), taken, strict=True):
                value = float("nan") if architecture is None else true(architecture)
                values.append(float(value))  # type: ignore[arg-type]
        return [highest, by_all]


def _by_all(sampler: ArchitectureSampler, study: optuna.Study) -> Architecture | None:
    outlook = sampler.outlook(study)
    return None if outlook is None else outlook.architectures[0]


def noisy_search(report: Callable[[str], None]) -> ResultTable:
    """Return the true accuracy of what is recommended after 20 and 40 noisy measurements."""
    runs = {
        (dataset, who): [NoisyRun(dataset, who.searcher, who.noisy, seed) for seed in SEEDS]
        for dataset in DATASETS
        for who in RECOMMENDERS
    }
    outcomes = run_searches(
        [run for of_seed in zip(*runs.values(), strict=True) for run in of_seed], report
    )
    rows = []
    for dataset in DATASETS:
        ours = _taken(OURS, [outcomes[run] for run in runs[dataset, OURS]])
        for who in RECOMMENDERS:
            taken = _taken(who, [outcomes[run] for run in runs[dataset, who]])
            p = "-" if who == OURS else f"{p_above_zero((ours - taken)[:, -1]):.2g}"
            rows.append((dataset, who.label, *map(mean_and_interval, taken.T), p))
    return ResultTable(
        title="Searches with two points of noise on each measurement, NAS-Bench-201",
        columns=(
            "data set",
            "searcher and what it recommends",
            *(f"after {n}" for n in SHOWN),
            "p",
        ),
        rows=tuple(rows),
        notes=(
            f"True test accuracy in % after 200 epochs, mean and 95 % interval of {len(SEEDS)} seeds, of "
            "the cell that is taken at the end; what is measured has normal noise of deviation "
            f"{NOISE:g}, drawn anew each time.",
            "p: Wilcoxon's signed-rank test, paired over seeds, that the first row is not better after "
            f"{SHOWN[-1]}.",
            "How `--noisy` searches was chosen on CIFAR-100's and ImageNet16-120's accuracies and on "
            "TransNAS's `class_object`, with more noise; CIFAR-10 was not looked at.",
        ),
    )


def _taken(who: Recommender, outcomes: Sequence[Outcome]) -> np.ndarray:
    """Return the true values of what was taken, `seeds x shown`."""
    # A run keeps what was highest in the place of searched values, the best by all in that of reported.
    by_all = who.takes == BY_ALL
    return np.array([each.reported if by_all else each.searched for each in outcomes])
