"""Searches for the GPT-2 shape of least perplexity within a device's latency, ours and Optuna's."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.trial import Trial, TrialState

from diffusionnag.guidance import Bound, limit
from diffusionnag.search.objectives import optuna_objective
from diffusionnag.search.searchers import new_searcher
from diffusionnag.search.study import measured_trials, value_of
from diffusionnag.spaces import Architecture, get_search_space
from diffusionnag.spaces.gpt2 import BIAS, GPT2, RATIOS
from experiments.guidance.language_models import QUALITY, SPACE, Judged
from experiments.result_table import ResultTable
from experiments.search.search_runs import Outcome, run_searches

DEVICE = "latency:rtx2080"
QUANTILES = (0.3, 0.6)
"""Of the table's latencies, at which the limit lies."""
SEEDS = range(10)
OURS, THEIRS, OF_GP = 30, 100, 40
"""Measurements; Optuna's Gaussian process takes minutes for more."""
PROPOSED = 3_000
"""Proposals, within the limit or not, after which a sampler of Optuna is not asked any more."""
STRATEGIES = ("guided+mutation", "guided", "mutation+random", "random")


@dataclass(frozen=True)
class LimitedRun:
    """One search within a limit, by a strategy of the library or by a sampler of Optuna."""

    quantile: float
    searcher: str
    seed: int
    trials: int

    @property
    def key(self) -> str:
        """Return the run as text, under which its outcome is kept."""
        return json.dumps({"space": SPACE, "limit": DEVICE, **asdict(self)}, sort_keys=True)

    @property
    def title(self) -> str:
        """Return what the run is called where progress is shown."""
        return f"within {self.quantile:.0%}, {self.searcher}, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return the perplexities in order, twice: what is searched is what is reported."""
        within = _limit(self.quantile)
        own = self.searcher in STRATEGIES
        values = _library(self, within) if own else _optuna(self, within)
        return [values, values]


@functools.cache
def _judged() -> Judged:
    return Judged()


@functools.cache
def _limit(quantile: float) -> Bound:
    """Return the limit on the predicted latency, which all searchers know."""
    bound = float(np.quantile(_judged().measured(DEVICE), quantile))
    return limit(_judged().predictor(DEVICE), at_most=bound)


def _perplexity(shape: Architecture) -> float:
    return float(_judged().values(QUALITY, [shape])[0])


def _library(run: LimitedRun, within: Bound) -> list[float]:
    sampler = new_searcher(
        "diffusionnag",
        get_search_space(SPACE),
        seed=run.seed,
        strategy=run.searcher,
        limits=[within],
    )
    study = optuna.create_study(sampler=sampler, direction="minimize")
    study.optimize(optuna_objective(sampler.search_space, _perplexity), run.trials)
    return [value_of(trial) for trial in measured_trials(study)]


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "TPE": lambda seed: TPESampler(seed=seed),
    "NSGA-II": lambda seed: NSGAIISampler(population_size=20, seed=seed),
    "GP": lambda seed: GPSampler(seed=seed),
}
"""Optuna's samplers of this name, told of the limit as it has them told."""


def _optuna(run: LimitedRun, within: Bound) -> list[float]:
    """Return what a sampler measures; what breaks the limit it is told of, but that is not counted."""
    study = optuna.create_study(sampler=SAMPLERS[run.searcher](run.seed), direction="minimize")
    known: dict[Architecture, float] = {}
    worst = float(_judged().measured(QUALITY).max())
    for _ in range(PROPOSED):
        if len(known) == run.trials:
            break
        trial = study.ask()
        shape = suggested_shape(trial)
        broken = float(within.shortfall([shape])[0])
        trial.set_constraint("limit", broken)
        if broken <= 0 and shape not in known:
            known[shape] = _perplexity(shape)
        study.tell(trial, known.get(shape, worst), state=TrialState.COMPLETE)
    return list(known.values())


def suggested_shape(trial: Trial) -> Architecture:
    """Return the shape of a trial that chooses as one writes it with Optuna: layers by their depth."""
    scale = GPT2.scale
    width = trial.suggest_categorical("width", scale.widths)
    bias = trial.suggest_categorical("bias", BIAS)
    layers = [
        f"{trial.suggest_categorical(f'heads{layer}', scale.heads)}-"
        f"{trial.suggest_int(f'ratio{layer}', min(RATIOS), max(RATIOS))}"
        for layer in range(trial.suggest_int("depth", *scale.depths))
    ]
    return get_search_space(SPACE).parse(f"{width}|{bias}|{','.join(layers)}")


def language_model_search(report: Callable[[str], None]) -> ResultTable:
    """Return the best perplexity that each searcher finds within two limits."""
    searchers = dict.fromkeys(STRATEGIES, OURS) | dict.fromkeys(SAMPLERS, THEIRS) | {"GP": OF_GP}
    runs = {
        (quantile, searcher): [LimitedRun(quantile, searcher, seed, trials) for seed in SEEDS]
        for quantile in QUANTILES
        for searcher, trials in searchers.items()
    }
    outcomes = run_searches([run for group in runs.values() for run in group], report)
    rows = []
    for (quantile, searcher), group in runs.items():
        of_seeds = [outcomes[run] for run in group]
        ours = [outcomes[run] for run in runs[quantile, STRATEGIES[0]]]
        better = sum(
            _best(own, OURS) <= _best(other, group[0].trials)
            for own, other in zip(ours, of_seeds, strict=True)
        )
        cells = [
            f"{np.mean([_best(outcome, trials) for outcome in of_seeds]):.3f}"
            if trials <= group[0].trials
            else "-"
            for trials in (10, OURS, OF_GP, THEIRS)
        ]
        rows.append((f"{quantile:.0%}", searcher, *cells, f"{better} of {len(group)}"))
    return ResultTable(
        title="GPT-2 shapes of least perplexity within a latency, by search",
        columns=(
            *("limit", "searcher", "best of 10", f"best of {OURS}", f"best of {OF_GP}"),
            *(f"best of {THEIRS}", f"{STRATEGIES[0]} with {OURS} at least as good as all"),
        ),
        rows=tuple(rows),
        notes=(
            f"Mean over {len(SEEDS)} seeds of the least perplexity after so many measurements, by a "
            "ridge regression within each width, fitted on all 10,000 rows of the table. The limit is "
            f"that quantile of the table's {DEVICE}, kept as the shipped predictor says.",
            f"{', '.join(STRATEGIES)} are candidates of the library's search, from five draws "
            "within the limit. Optuna's samplers choose depth, and heads and ratio of each layer that "
            "there is; they are told of the limit as a constraint, and what breaks it is not counted.",
        ),
    )


def _best(outcome: Outcome, trials: int) -> float:
    return float(outcome.searched[:trials].min())
