"""What was measured before a search, as the first trials of its study."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial, create_trial

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.search.objectives import Problem
from diffusionnag.search.study import Search, count_finished
from diffusionnag.search.trials import (
    ARCHITECTURE,
    METRICS,
    distributions_of,
    parameters_of,
    recorded_architecture,
)
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables import Table, open_table, split_table
from diffusionnag.tables.measurements import mean_of_rows, rows_by_architecture

logger = logging.getLogger(__name__)


def add_measured(search: Search, measured: str | Path) -> None:
    """Add what a table holds to the study of a search, as trials that are finished.

    The table (`TABLE`, or `TABLE:COLUMN` of a single objective) has a column for each objective and
    constraint, by its name; where an architecture has several rows, their mean counts. What the study
    has already is not added again; rows of no architecture of the space, or without a value, are left
    out and counted. Raises DiffusionNAGError for a table that cannot be read, that lacks a column, or
    of which no row is left, and where no trial would be left to run.
    """
    space, study = search.space, search.study
    table, metrics = _columns(str(measured), space, search.problem)
    finite = np.all([np.isfinite(column) for column in metrics.values()], axis=0)
    rows_of = rows_by_architecture(table, space, finite)
    if not rows_of:
        raise DiffusionNAGError(
            f"no row of {table.name} has an architecture of {space.name} and {' and '.join(metrics)}"
        )
    if left_out := len(finite) - sum(map(len, rows_of.values())):
        logger.warning("%s: %d of %d rows are left out", table.name, left_out, len(finite))
    known = {recorded_architecture(space, trial) for trial in study.get_trials(deepcopy=False)}
    added = {each: rows for each, rows in rows_of.items() if each not in known}
    counted = count_finished(study) + len(added)
    if added and counted >= search.trials:
        raise DiffusionNAGError(
            f"the {len(added)} architectures of {table.name} count as trials: {search.trials} leave "
            f"none to measure; give more than {counted}"
        )
    for architecture, rows in added.items():
        means = {metric: mean_of_rows(column, rows) for metric, column in metrics.items()}
        study.add_trial(_trial(space, search.problem, architecture, means))


def _columns(
    text: str, space: SearchSpace, problem: Problem
) -> tuple[Table, dict[str, np.ndarray]]:
    """Return a table, and its columns of what the search is about; what it sums may be missing."""
    source, column = split_table(text, space)
    table = open_table(source, space)
    if column and len(problem.needed) > 1:
        raise DiffusionNAGError(
            f"the search is about {', '.join(problem.needed)}: write {source} alone, and name its "
            "columns so"
        )
    if column:
        return table, {problem.objectives[0]: table.column(column)}
    columns = {}
    for name in problem.needed:
        try:
            columns[name] = table.column(name)
        except DiffusionNAGError as error:
            if name != problem.cost:
                raise DiffusionNAGError(f"the search is about {name}, but {error}") from error
    return table, columns


def _trial(
    space: SearchSpace, problem: Problem, architecture: Architecture, metrics: dict[str, float]
) -> FrozenTrial:
    return create_trial(
        values=[metrics[name] for name in problem.objectives],
        params=parameters_of(space, architecture),
        distributions=dict(distributions_of(space)),
        user_attrs={ARCHITECTURE: space.format(architecture), METRICS: metrics},
        constraints={bound.describe(): bound.excess(metrics) for bound in problem.constraints},
    )
