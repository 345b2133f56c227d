"""Search: what to measure next, as an Optuna sampler."""

from diffusionnag.search.acquisition import ACQUISITIONS
from diffusionnag.search.command_objective import CommandObjective
from diffusionnag.search.learned import Surrogate
from diffusionnag.search.objectives import MeasurementError, optuna_objective, read_objective
from diffusionnag.search.proposal import STRATEGIES, Proposer, Proposes
from diffusionnag.search.sampler import ArchitectureSampler, DiffusionNAGSampler
from diffusionnag.search.searchers import SEARCHERS, new_searcher
from diffusionnag.search.trials import (
    ARCHITECTURE,
    Measured,
    architecture_of,
    parameters_of,
    suggest_architecture,
)

__all__ = [
    "ACQUISITIONS",
    "ARCHITECTURE",
    "SEARCHERS",
    "STRATEGIES",
    "ArchitectureSampler",
    "CommandObjective",
    "DiffusionNAGSampler",
    "Measured",
    "MeasurementError",
    "Proposer",
    "Proposes",
    "Surrogate",
    "architecture_of",
    "new_searcher",
    "optuna_objective",
    "parameters_of",
    "read_objective",
    "suggest_architecture",
]
