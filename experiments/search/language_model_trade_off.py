"""Searches for GPT-2 shapes of little perplexity and little latency at once, ours and Optuna's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.study import StudyDirection

from diffusionnag._confidence import interval
from diffusionnag.generation import hypervolume
from diffusionnag.report import plot_curves
from diffusionnag.search.objectives import optuna_objective
from diffusionnag.search.searchers import new_searcher
from diffusionnag.search.study import measured_trials
from diffusionnag.spaces import Architecture, get_search_space
from experiments.guidance.language_models import QUALITY, SPACE, Judged
from experiments.result_table import ResultTable
from experiments.search.language_model_search import SAMPLERS, STRATEGIES, suggested_shape
from experiments.search.search_runs import Keyed, run_searches
from experiments.statistics import mean_and_interval, p_above_zero

DEVICE = "latency:a100"
SEEDS = range(10)
TRIALS, OF_GP = 40, 20
"""Measurements; Optuna's Gaussian process takes minutes for more."""
SHOWN = (10, 20, 40)
DRAWN = 1_000
"""Uniform draws whose worst perplexity and latency are the corner of the hypervolume."""


@dataclass(frozen=True)
class TradeOffRun(Keyed):
    """One search for two objectives, by a strategy of the library or by a sampler of Optuna."""

    searcher: str
    seed: int
    trials: int

    @property
    def title(self) -> str:
        """Return what the run is called where progress is shown."""
        return f"{self.searcher}, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return the perplexities and the latencies of what was measured, in order."""
        space, directions = get_search_space(SPACE), [StudyDirection.MINIMIZE] * 2
        if self.searcher in STRATEGIES:
            sampler = new_searcher("diffusionnag", space, seed=self.seed, strategy=self.searcher)
            objective = optuna_objective(space, _costs)
        else:
            sampler = SAMPLERS[self.searcher](self.seed)
            objective = _costs_of_trial
        study = optuna.create_study(sampler=sampler, directions=directions)
        study.optimize(objective, self.trials)
        return np.array([trial.values for trial in measured_trials(study)]).T.tolist()


@functools.cache
def _judged() -> Judged:
    return Judged()


def _costs(shape: Architecture) -> tuple[float, float]:
    perplexity, latency = (_judged().values(name, [shape])[0] for name in (QUALITY, DEVICE))
    return float(perplexity), float(latency)


def _costs_of_trial(trial: optuna.Trial) -> tuple[float, float]:
    return _costs(suggested_shape(trial))


def _volumes(costs: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """Return the hypervolume after each measurement, `trials`, of costs that are `trials x 2`."""
    return np.array([hypervolume(-costs[: end + 1], -worst) for end in range(len(costs))])


def language_model_trade_off(report: Callable[[str], None]) -> ResultTable:
    """Return the hypervolumes that each searcher reaches, of perplexity against latency."""
    searchers = dict.fromkeys([*STRATEGIES, *SAMPLERS], TRIALS) | {"GP": OF_GP}
    runs = {
        searcher: [TradeOffRun(searcher, seed, trials) for seed in SEEDS]
        for searcher, trials in searchers.items()
    }
    outcomes = run_searches([run for group in runs.values() for run in group], report)
    drawn = np.array([_costs(shape) for shape in get_search_space(SPACE).sample(DRAWN, 0)])
    best, worst = drawn.min(0), drawn.max(0)
    curves = {
        searcher: np.array(
            [
                _volumes(np.stack([outcome.searched, outcome.reported], axis=1), worst)
                / np.prod(worst - best)
                for outcome in (outcomes[run] for run in group)
            ]
        )
        for searcher, group in runs.items()
    }
    return ResultTable(
        title="GPT-2 shapes of little perplexity and latency, by search",
        columns=(
            "searcher",
            *(f"after {trials}" for trials in SHOWN),
            *(f"p after {trials}" for trials in SHOWN[1:]),
        ),
        rows=tuple(_row(searcher, curves) for searcher in searchers),
        notes=(
            f"Hypervolume of perplexity against {DEVICE}, as a share of the rectangle between the best "
            f"and the worst of {DRAWN:,} uniform draws: mean and 95 % interval of {len(SEEDS)} seeds. Both "
            "are by a ridge regression within each width, fitted on all 10,000 rows of the table.",
            f"{', '.join(STRATEGIES)} are candidates of the library's search. Optuna's samplers "
            "choose depth, and heads and ratio of each layer that there is.",
            f"p: Wilcoxon's signed-rank test, paired over seeds, that {STRATEGIES[0]}'s is not larger.",
        ),
        picture=functools.partial(
            plot_curves,
            {
                DEVICE: {
                    searcher: (rows.mean(0), interval(rows)) for searcher, rows in curves.items()
                }
            },
            xlabel="shapes measured",
            ylabel="hypervolume",
            title="GPT-2 shapes: perplexity against latency",
            caption=f"Means and 95 % intervals of {len(SEEDS)} seeds.",
        ),
    )


def _row(searcher: str, curves: dict[str, np.ndarray]) -> tuple[str, ...]:
    own, usual = curves[searcher], curves[STRATEGIES[0]]

    def figure(trials: int) -> str:
        return mean_and_interval(own[:, trials - 1], decimals=3)

    def p_value(trials: int) -> str:
        gain = usual[:, trials - 1] - own[:, trials - 1]
        return f"{p_above_zero(gain):.2g}"

    def shown(of: Callable[[int], str], trials: int) -> str:
        return of(trials) if trials <= own.shape[1] else "-"

    compared = [shown(p_value, trials) for trials in SHOWN[1:]]
    return (
        searcher,
        *(shown(figure, trials) for trials in SHOWN),
        *(["-", "-"] if searcher == STRATEGIES[0] else compared),
    )
