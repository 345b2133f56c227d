"""Searches that end trainings early: what is spent until a cell is among the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, Trial

from diffusionnag.search.objectives import optuna_objective, read_objective
from diffusionnag.search.searchers import new_searcher
from diffusionnag.spaces import Architecture, get_search_space
from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import DATASETS
from experiments.search.search_runs import Keyed, median_and_range, run_searches
from experiments.statistics import p_above_zero

SEEDS = range(15)
EARLY, WHOLE = 12, 200
"""Epochs after which a training is judged, and of a whole one."""
REDUCTION = 3
GOALS = {"CIFAR-10": 94.3, "CIFAR-100": 72.75, "ImageNet16-120": 46.55}
"""Test accuracies in % that 6, 15 and 15 of the 15,625 cells have."""
CAP = 60.0
"""Whole trainings' worth of epochs after which a search is given up."""

PRUNERS: Mapping[str, Callable[[], BasePruner]] = {
    "none": NopPruner,
    "asha": lambda: SuccessiveHalvingPruner(min_resource=EARLY, reduction_factor=REDUCTION),
    "hyperband": lambda: HyperbandPruner(
        min_resource=EARLY, max_resource=WHOLE, reduction_factor=REDUCTION
    ),
}
PAIRS = (
    ("diffusionnag", "asha"),
    ("diffusionnag", "hyperband"),
    ("diffusionnag", "none"),
    ("tpe", "hyperband"),
    ("tpe", "asha"),
    ("random", "hyperband"),
)
"""Searchers and pruners; TPE under Hyperband is Optuna's counterpart of BOHB."""
NAMES = {("tpe", "hyperband"): " (as BOHB)", ("random", "hyperband"): " (Hyperband)"}


@dataclass(frozen=True)
class CurveRun(Keyed):
    """One search of a data set whose trainings report after 12 epochs, and may end there."""

    dataset: str
    searcher: str
    pruner: str
    seed: int

    @property
    def title(self) -> str:
        """Return what the run is called where progress is shown."""
        return f"{self.dataset}, {self.searcher}, {self.pruner}, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return what was spent until the goal, infinite if it was given up, and how many trials it took."""
        space = get_search_space("nasbench201")
        table = f"table:nasbench201_accuracy:{DATASETS[self.dataset]}"
        early, final = (
            read_objective(f"{table}_{name}", space) for name in ("valid_12ep", "test_200ep")
        )
        spent, reached = 0.0, float("inf")

        def train(architecture: Architecture, trial: Trial) -> float:
            nonlocal spent, reached
            trial.report(float(early(architecture)), EARLY)  # type: ignore[arg-type]
            spent += EARLY / WHOLE
            if trial.should_prune():
                raise optuna.TrialPruned
            spent += 1 - EARLY / WHOLE
            accuracy = float(final(architecture))  # type: ignore[arg-type]
            if accuracy >= GOALS[self.dataset]:
                reached = min(reached, spent)
            return accuracy

        def stop(study: optuna.Study, trial: FrozenTrial) -> None:
            if reached < np.inf or spent >= CAP:
                study.stop()

        sampler = new_searcher(self.searcher, space, seed=self.seed)
        pruner = PRUNERS[self.pruner]()
        study = optuna.create_study(sampler=sampler, pruner=pruner, direction="maximize")
        study.optimize(optuna_objective(space, train), callbacks=[stop])
        return [[reached], [float(len(study.trials))]]


def multi_fidelity(report: Callable[[str], None]) -> ResultTable:
    """Return the epochs until one of the best cells, in whole trainings, by searcher and pruner."""
    runs = {
        (dataset, pair): [CurveRun(dataset, *pair, seed) for seed in SEEDS]
        for dataset in GOALS
        for pair in PAIRS
    }
    by_seed = zip(*runs.values(), strict=True)
    outcomes = run_searches([run for of_seed in by_seed for run in of_seed], report)
    rows = []
    for pair in PAIRS:
        cells = []
        for dataset in GOALS:
            ours, spent = (
                np.array([outcomes[run].searched[0] for run in runs[dataset, each]])
                for each in (PAIRS[0], pair)
            )
            # One that was given up has spent the cap at least.
            p = p_above_zero(np.minimum(spent, CAP) - np.minimum(ours, CAP))
            shown = median_and_range([round(float(each), 1) for each in spent], int(CAP))
            cells += [shown, "-" if pair == PAIRS[0] else f"{p:.2g}"]
        searcher, pruner = pair
        rows.append((f"{searcher}, {pruner}{NAMES.get(pair, '')}", *cells))
    columns = (name for dataset, goal in GOALS.items() for name in (f"{dataset}, {goal} %", "p"))
    return ResultTable(
        title="Trainings that are ended early, NAS-Bench-201",
        columns=("searcher, pruner", *columns),
        rows=tuple(rows),
        notes=(
            "Epochs spent until a cell has that test accuracy after 200 epochs, in whole trainings of "
            f"{WHOLE}: median of {len(SEEDS)} seeds, in brackets the lowest and the highest. A search is "
            f"given up after {CAP:g}.",
            f"A training reports its validation accuracy after {EARLY} epochs, and goes on to {WHOLE} "
            f"unless it is pruned (one of {REDUCTION} goes on). The cells that have the accuracy: "
            "6, 15 and 15 of 15,625.",
            "p: Wilcoxon's signed-rank test, paired over seeds, that the first row spends no less.",
            "That the surrogate learns from what pruned trainings reported was tried on CIFAR-100 and "
            "ImageNet16-120 with up to 10 of these seeds; CIFAR-10 was not looked at.",
        ),
    )
