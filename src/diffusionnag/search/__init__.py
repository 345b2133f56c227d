"""Search: what to measure next, as an Optuna sampler."""

from diffusionnag.search.acquisition import ACQUISITIONS
from diffusionnag.search.objectives import MeasurementError, optuna_objective, read_objective
from diffusionnag.search.proposal import STRATEGIES, Proposer
from diffusionnag.search.sampler import DiffusionNAGSampler
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
    "STRATEGIES",
    "DiffusionNAGSampler",
    "Measured",
    "MeasurementError",
    "Proposer",
    "architecture_of",
    "optuna_objective",
    "parameters_of",
    "read_objective",
    "suggest_architecture",
]
