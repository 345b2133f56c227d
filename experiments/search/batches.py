"""Searches by several workers at once: what is lost to one that waits for each measurement."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import optuna

from diffusionnag.search import ArchitectureSampler
from diffusionnag.search.objectives import read_objective
from diffusionnag.search.proposers import Proposer, Proposes
from diffusionnag.search.sampler import WARM_UP
from diffusionnag.search.trials import Measured, suggest_architecture
from diffusionnag.spaces import Architecture, get_search_space
from experiments.result_table import ResultTable
from experiments.search.search_runs import Benchmark, Keyed, Outcome, run_searches
from experiments.search.suite import Scale, halves
from experiments.statistics import mean_and_interval, p_above_zero

SEEDS = range(10)
SHOWN = (20, 30, 40)
STRATEGY = "mutation+random"
"""How candidates are found: in a fifth of the time that guided ones take."""
COLUMNS = ("cifar100_valid_12ep", "class_scene", "jigsaw")
"""Tables of the suite's judging half."""
ARMS = ((1, False), (4, True), (4, False), (16, True), (16, False))
"""Numbers of workers, and whether what is running is taken for the worst (the constant liar)."""


@dataclass(frozen=True)
class Liar:
    """A proposer that is not told which of the measured are only assumed to be the worst."""

    proposer: Proposer

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return what the proposer proposes if all had been measured."""
        believed = [dataclasses.replace(trial, running=False) for trial in measured]
        return self.proposer.propose(believed, taken, rng)


@dataclass(frozen=True)
class BatchRun(Keyed):
    """One search in which so many architectures are always being measured, all for equally long."""

    benchmark: Benchmark
    workers: int
    lies: bool
    seed: int

    @property
    def title(self) -> str:
        """Return what the search is called where progress is shown."""
        return f"{self.benchmark.name}, {self.workers} workers, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return the values in the order in which they were measured, twice."""
        space = get_search_space(self.benchmark.space)
        measure = read_objective(self.benchmark.searched, space)
        proposer = Proposer(space, strategy=STRATEGY)
        proposes: Proposes = Liar(proposer) if self.lies else proposer
        sampler = ArchitectureSampler(space, proposes, warm_up=WARM_UP, seed=self.seed)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        running, values = list[tuple[optuna.Trial, float]](), list[float]()
        while len(values) < SHOWN[-1]:
            while len(running) < min(self.workers, SHOWN[-1] - len(values)):
                trial = study.ask()
                value = float(measure(suggest_architecture(trial, space)))  # type: ignore[arg-type]
                running.append((trial, value))
            trial, value = running.pop(0)
            study.tell(trial, value)
            values.append(value)
        return [values, values]


def batches(report: Callable[[str], None]) -> ResultTable:
    """Return the regret of one, 4 and 16 workers after equally many measurements."""
    benchmarks = [each for each in halves()[1] if each.name.split()[1] in COLUMNS]
    runs = {
        arm: [BatchRun(benchmark, *arm, seed) for benchmark in benchmarks for seed in SEEDS]
        for arm in ARMS
    }
    outcomes = run_searches([run for group in runs.values() for run in group], report)
    regrets = {
        arm: np.array([_regret(run.benchmark, outcomes[run]) for run in group])
        for arm, group in runs.items()
    }
    rows = []
    for (workers, lies), regret in regrets.items():
        what = "the worst value assumed" if lies else "improvement beyond them"
        by_seed = regret.reshape(len(benchmarks), len(SEEDS), -1).mean(0)
        p = "-"
        if workers > 1 and not lies:
            difference = regrets[workers, True] - regret
            p = " / ".join(f"{p_above_zero(each):.2g}" for each in difference.T)
        shown = (mean_and_interval(each, 1) for each in by_seed.T)
        rows.append((str(workers), what if workers > 1 else "-", *shown, p))
    return ResultTable(
        title="Searches by several workers",
        columns=("workers", "of running ones", *(f"after {shown}" for shown in SHOWN), "p"),
        rows=tuple(rows),
        notes=(
            "Regret in % of the distance from the table's median to its best, mean over "
            f"{', '.join(each.name for each in benchmarks)} and 95 % interval of {len(SEEDS)} seeds. "
            "With N workers N architectures are always being measured, all for equally long. Candidates "
            f"are those of {STRATEGY}, the warm-up is uniform.",
            "p: Wilcoxon's signed-rank test, paired over tables and seeds, that the row is not better "
            f"than the one above it, after {' / '.join(map(str, SHOWN))}.",
            "Chosen by ten searches of four tables of the other half; there Thompson sampling (the "
            "candidate that is best in a draw of all values) was behind improvement beyond what is running.",
        ),
    )


def _regret(benchmark: Benchmark, outcome: Outcome) -> np.ndarray:
    scale = Scale.of(benchmark)
    best = outcome.best_so_far(SHOWN[-1])[np.array(SHOWN) - 1]
    return 100 * scale.regret(best, scale.best)
