"""Objectives: what a search measures, and what of it is to be raised, lowered or bounded."""

from diffusionnag.search.objectives._command_objective import CommandObjective
from diffusionnag.search.objectives._constraints import Constraint
from diffusionnag.search.objectives._kinds import KINDS, Kind, ObjectiveText, read_objective
from diffusionnag.search.objectives._measure import (
    Measure,
    MeasurementError,
    MissingValueError,
    Values,
    ask,
)
from diffusionnag.search.objectives._optuna_objective import optuna_objective
from diffusionnag.search.objectives._problem import Problem, read_problem

__all__ = [
    "KINDS",
    "CommandObjective",
    "Constraint",
    "Kind",
    "Measure",
    "MeasurementError",
    "MissingValueError",
    "ObjectiveText",
    "Problem",
    "Values",
    "ask",
    "optuna_objective",
    "read_objective",
    "read_problem",
]
