"""What is known of architectures: predicted, analytic and, where a table has them, true properties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from diffusionnag.artifacts.json_lines import ArchitectureRecord
from diffusionnag.generation.request import Request
from diffusionnag.guidance import AnalyticProperty
from diffusionnag.guidance.feasibility import keep_limits
from diffusionnag.spaces import Architecture, SearchSpace

Columns = dict[str, np.ndarray]
"""Values by the name of their property, each `batch`."""


@dataclass(frozen=True)
class Evaluation:
    """Architectures with all that is known of their properties.

    Arrays are `batch`, one for each property; `merit` is the weighted sum of standardised guides.
    Properties that are guided or limited are in `mean`, those known exactly in `analytic` alone.
    """

    space: SearchSpace
    architectures: list[Architecture]
    mean: Columns
    std: Columns
    true: Columns
    analytic: Columns
    merit: np.ndarray
    within_limits: np.ndarray
    """Which of them keep all limits, with the probability asked for, `batch` bool."""

    def __len__(self) -> int:
        return len(self.architectures)

    def ranked(self) -> Evaluation:
        """Return the same, best first; the order is kept where there is no guide."""
        return self.rows(np.argsort(-self.merit, kind="stable"))

    def rows(self, rows: np.ndarray) -> Evaluation:
        """Return what is known of the architectures at these row numbers, in their order."""

        def taken(columns: Columns) -> Columns:
            return {name: values[rows] for name, values in columns.items()}

        return replace(
            self,
            architectures=[self.architectures[row] for row in rows],
            mean=taken(self.mean),
            std=taken(self.std),
            true=taken(self.true),
            analytic=taken(self.analytic),
            merit=self.merit[rows],
            within_limits=self.within_limits[rows],
        )

    def first(self, count: int) -> Evaluation:
        """Return what is known of the first so many, or of all if there are fewer."""
        return self.rows(np.arange(min(count, len(self))))

    def allowed(self) -> Evaluation:
        """Return those that keep all limits."""
        return self.rows(np.flatnonzero(self.within_limits))

    def distinct(self) -> Evaluation:
        """Return each architecture once, where it stands first."""
        first = {
            architecture: row for row, architecture in reversed([*enumerate(self.architectures)])
        }
        return self.rows(np.array(sorted(first.values()), dtype=np.intp))

    def best_known(self, name: str) -> tuple[np.ndarray, str]:
        """Return a property's true values if a table has all of them, else the predicted ones.

        The second says which they are: true, predicted, or exact.
        """
        true = self.true.get(name)
        if true is not None and np.isfinite(true).all():
            return true, "true"
        if name in self.mean:
            return self.mean[name], "predicted"
        return self.analytic[name], "exact"

    def records(self) -> Iterator[ArchitectureRecord]:
        """Yield what is known of each architecture, as it is written into files."""
        for row, architecture in enumerate(self.architectures):

            def at(columns: Columns, row: int = row) -> dict[str, float]:
                return {name: float(values[row]) for name, values in columns.items()}

            yield ArchitectureRecord(
                self.space.format(architecture),
                valid=bool(self.space.is_valid(architecture)),
                properties=at(self.mean) | at(self.analytic),
                std=at(self.std),
                true={name: value for name, value in at(self.true).items() if np.isfinite(value)},
            )


def evaluate(
    space: SearchSpace, architectures: Sequence[Architecture], request: Request
) -> Evaluation:
    """Return what is known of architectures; predictors are asked once for each distinct one."""
    distinct = list(dict.fromkeys(architectures))
    rows = {architecture: row for row, architecture in enumerate(distinct)}
    mean, std, true = {}, {}, {}
    merit = np.zeros(len(distinct))
    texts = [space.format(architecture) for architecture in distinct]
    for guide, weight in zip(request.properties, request.weights, strict=True):
        merit += weight * guide.normal_score(distinct)
    for name, judged in request.judged().items():
        if isinstance(judged, AnalyticProperty) or judged.estimated:
            continue
        mean[name], std[name] = judged.predict(distinct)
        measured = request.true_values(name, texts)
        if measured is not None:
            true[name] = measured
    exact = [space.analytic_properties(architecture) for architecture in distinct]
    analytic = {name: np.array([row[name] for row in exact]) for name in (exact or [{}])[0]}
    for name, judged in request.judged().items():
        if judged.estimated:
            analytic[name] = judged.predict(distinct)[0]
    kept = keep_limits(request.limits, distinct)
    evaluation = Evaluation(space, distinct, mean, std, true, analytic, merit, kept)
    return evaluation.rows(np.array([rows[each] for each in architectures], dtype=np.intp))
