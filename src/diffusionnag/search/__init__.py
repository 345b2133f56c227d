"""Search: the best architecture for the fewest measurements, as one call or as an Optuna sampler."""

from diffusionnag._callable_module import make_callable
from diffusionnag.predictors import Learner, Surrogate
from diffusionnag.search._pruners import PRUNERS, new_pruner
from diffusionnag.search._workers import run_workers
from diffusionnag.search.architecture_sampler import ArchitectureSampler
from diffusionnag.search.objectives import (
    CommandObjective,
    Constraint,
    Measure,
    MeasurementError,
    Problem,
    optuna_objective,
    read_objective,
    read_problem,
)
from diffusionnag.search.proposers import ACQUISITIONS, STRATEGIES, Outlook, Proposer, Proposes
from diffusionnag.search.sampler import DiffusionNAGSampler
from diffusionnag.search.search_result import SearchResult
from diffusionnag.search.search_task import SearchTask, search
from diffusionnag.search.searchers import SEARCHERS, new_searcher
from diffusionnag.search.storages import open_storage
from diffusionnag.search.study import (
    Search,
    measured_trials,
    measured_values,
    open_study,
    read_study,
    run_study,
)
from diffusionnag.search.trials import (
    ARCHITECTURE,
    METRICS,
    Measured,
    architecture_of,
    parameters_of,
    recorded_architecture,
    suggest_architecture,
)

__all__ = [
    "ACQUISITIONS",
    "ARCHITECTURE",
    "METRICS",
    "PRUNERS",
    "SEARCHERS",
    "STRATEGIES",
    "ArchitectureSampler",
    "CommandObjective",
    "Constraint",
    "DiffusionNAGSampler",
    "Learner",
    "Measure",
    "Measured",
    "MeasurementError",
    "Outlook",
    "Problem",
    "Proposer",
    "Proposes",
    "Search",
    "SearchResult",
    "SearchTask",
    "Surrogate",
    "architecture_of",
    "measured_trials",
    "measured_values",
    "new_pruner",
    "new_searcher",
    "open_storage",
    "open_study",
    "optuna_objective",
    "parameters_of",
    "read_objective",
    "read_problem",
    "read_study",
    "recorded_architecture",
    "run_study",
    "run_workers",
    "search",
    "suggest_architecture",
]

make_callable(__name__, "diffusionnag.search.search_task:search")
