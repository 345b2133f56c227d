"""What a search has measured: the best, the front, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from diffusionnag._html_table import SHOWN, html_table
from diffusionnag.artifacts.json_lines import ArchitectureRecord
from diffusionnag.artifacts.model_cards import About
from diffusionnag.artifacts.record_files import data_frame, write_record_file
from diffusionnag.artifacts.run_records import RunRecord, write_run_record
from diffusionnag.generation.dominance import choose, hypervolume, non_dominated
from diffusionnag.search.objectives import Problem
from diffusionnag.search.proposers import Outlook
from diffusionnag.search.study import Search, is_feasible
from diffusionnag.search.trials import (
    FAILURE,
    METRICS,
    UNBUILDABLE,
    finished,
    recorded_architecture,
)
from diffusionnag.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class SearchResult:
    """What the trials of a study have measured, as far as they have got.

    `finished` are those that count: measured, failed or pruned; `asked` is how many were asked for.
    The `outlook` is known at the end, of the library's own search for one objective; `improbable` is
    whether it ended because nothing better was likely to be left.
    """

    space: SearchSpace
    problem: Problem
    finished: list[FrozenTrial]
    asked: int
    warm_up: int
    about: About
    outlook: Outlook | None = None
    improbable: bool = False

    @classmethod
    def of(cls, search: Search, about: About) -> SearchResult:
        """Return how far a search has got."""
        trials = finished(search.study.get_trials(deepcopy=False))
        warm_up = search.sampler.warm_up
        return cls(search.space, search.problem, trials, search.trials, warm_up, about)

    # -- what was measured ------------------------------------------------------------------------

    @cached_property
    def measured(self) -> list[FrozenTrial]:
        """The trials that gave a value, in the order in which they were proposed."""
        return [trial for trial in self.finished if trial.state == TrialState.COMPLETE]

    @cached_property
    def architectures(self) -> list[Architecture]:
        """What was measured, in that order."""
        known = [recorded_architecture(self.space, trial) for trial in self.measured]
        return [architecture for architecture in known if architecture is not None]

    @cached_property
    def values(self) -> np.ndarray:
        """The objectives of what was measured, each in its unit, `measured x objectives` float64."""
        shape = (len(self.measured), len(self.problem.objectives))
        return np.array([trial.values for trial in self.measured]).reshape(shape)

    @cached_property
    def allowed(self) -> np.ndarray:
        """Which of the measured keep all constraints, `measured` bool."""
        return np.array([is_feasible(trial) for trial in self.measured], dtype=bool)

    @property
    def scores(self) -> np.ndarray:
        """The objectives, more being better, `measured x objectives` float64."""
        return self.values * self.problem.signs

    @cached_property
    def best(self) -> np.ndarray:
        """Rows of the allowed, the best first by the first objective.

        Of several objectives they are those on the front, which no other one dominates.
        """
        kept = np.flatnonzero(self.allowed)
        best = kept[np.argsort(-self.scores[kept, 0], kind="stable")]
        if len(self.problem.objectives) == 1 or not len(best):
            return best
        return best[non_dominated(self.scores[best])]

    @property
    def worst(self) -> np.ndarray:
        """The worst measured value of each objective, `objectives`: the corner of the hypervolume."""
        return self.scores.min(axis=0) * self.problem.signs

    @property
    def hypervolume(self) -> float:
        """The volume between the allowed and the worst measured values."""
        return hypervolume(self.scores[self.allowed], self.worst * self.problem.signs)

    # -- how it went ------------------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether nothing was left to propose before all trials were run."""
        return len(self.finished) < self.asked

    @property
    def pruned(self) -> int:
        """How many trials were ended early, because others did better at the same step."""
        return sum(trial.state == TrialState.PRUNED for trial in self.finished)

    @property
    def unbuildable(self) -> int:
        """How many proposals were passed over, as no network of them can be built."""
        return sum(trial.user_attrs.get(UNBUILDABLE, 0) for trial in self.finished)

    @property
    def failed(self) -> int:
        """How many trials gave no value."""
        return sum(trial.state == TrialState.FAIL for trial in self.finished)

    @property
    def last_failure(self) -> str:
        """Why the last trial that failed did so."""
        failed = [trial for trial in self.finished if trial.state == TrialState.FAIL]
        return str(failed[-1].user_attrs.get(FAILURE, "")) if failed else ""

    @property
    def costs(self) -> list[float]:
        """What each measurement cost of which that is known, those that were pruned included."""
        metrics = (trial.user_attrs.get(METRICS, {}) for trial in self.finished)
        return [values[self.problem.cost] for values in metrics if self.problem.cost in values]

    @property
    def cost(self) -> float | None:
        """The sum of all known costs, None where nobody asked.

        Values that were looked up would have cost it.
        """
        return None if self.problem.cost is None else sum(self.costs)

    # -- as files and tables ----------------------------------------------------------------------

    def records(self) -> Iterator[ArchitectureRecord]:
        """Yield a record of each measured architecture, those allowed first, best first.

        Of several objectives front follows front.
        """
        kept = np.flatnonzero(self.allowed)
        best = kept[choose(self.scores[kept], len(kept))]
        for row in (*best, *np.flatnonzero(~self.allowed)):
            trial, architecture = self.measured[row], self.architectures[row]
            yield ArchitectureRecord(
                self.space.format(architecture),
                valid=True,
                properties=self._metrics(trial) | self.space.analytic_properties(architecture),
                trial=trial.number,
                allowed=bool(self.allowed[row]),
            )

    def _metrics(self, trial: FrozenTrial) -> dict[str, float]:
        objectives = dict(zip(self.problem.objectives, trial.values, strict=True))
        return trial.user_attrs.get(METRICS, objectives)

    def run_record(self) -> RunRecord:
        """Return what was asked for."""
        signs = self.problem.signs.tolist()
        return RunRecord(
            search_space=self.space.name,
            about=self.about,
            goals=dict(zip(self.problem.objectives, signs, strict=True)),
            limits=tuple(bound.describe() for bound in self.problem.constraints),
            warm_up=self.warm_up,
        )

    def save(self, path: str | Path) -> None:
        """Write the records, as JSON lines, CSV or Parquet, and beside them what was asked for.

        The path's ending says which. Raises DiffusionNAGError for another ending,
        EnvironmentFailureError where a file cannot be written.
        """
        write_record_file(Path(path), self.records())
        write_run_record(Path(path), self.run_record())

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table of all measured, best first, with a column for each property."""
        return data_frame(self.records())

    def _repr_html_(self) -> str:
        """Return the best as a table of HTML, for notebooks."""
        rows = [
            (
                self.space.format(self.architectures[row]),
                [f"{value:.6g}" for value in self.values[row].tolist()],
            )
            for row in self.best[:SHOWN]
        ]
        caption = f"{len(self.measured)} measured architectures of {self.space.name}, the best:"
        return html_table(caption, self.problem.objectives, rows)
