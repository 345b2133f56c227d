"""What `generate` knows about generated architectures, and how it shows that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table as RichTable

from diffusionnag._files import write_atomically
from diffusionnag.artifacts.run_records import RunRecord, write_run_record
from diffusionnag.cli.console import origin
from diffusionnag.generation.metrics import GenerationQuality
from diffusionnag.generation.request import Request
from diffusionnag.generation.samples import Samples
from diffusionnag.guidance import AnalyticProperty
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.cost import unit
from diffusionnag.tables import measured_table


@dataclass(frozen=True)
class Evaluation:
    """Architectures with their predicted, analytic and, where a table has them, true properties.

    Arrays are `batch`, one for each property; `merit` is the weighted sum of standardised guides.
    Properties that are guided or limited are in `mean`, those known exactly in `analytic` alone.
    """

    space: SearchSpace
    architectures: list[Architecture]
    mean: dict[str, np.ndarray]
    std: dict[str, np.ndarray]
    true: dict[str, np.ndarray]
    analytic: dict[str, np.ndarray]
    merit: np.ndarray

    @classmethod
    def of(
        cls, space: SearchSpace, architectures: list[Architecture], request: Request
    ) -> Evaluation:
        """Return what is known of these architectures."""
        mean, std, true = {}, {}, {}
        merit = np.zeros(len(architectures))
        texts = [space.format(architecture) for architecture in architectures]
        for one, weight in zip(request.properties, request.weights, strict=True):
            merit += weight * one.normal_score(architectures)
        for name, one in request.judged().items():
            if isinstance(one, AnalyticProperty):
                continue
            mean[name], std[name] = one.predict(architectures)
            table = measured_table(space.name, name)
            if table is not None:
                true[name] = table.lookup(name, texts)
        rows = [space.analytic_properties(architecture) for architecture in architectures]
        analytic = {name: np.array([row[name] for row in rows]) for name in (rows or [{}])[0]}
        return cls(space, architectures, mean, std, true, analytic, merit)

    def ranked(self) -> Evaluation:
        """Return the same, best first; the order is kept where there is no guide."""
        return self.rows(np.argsort(-self.merit, kind="stable"))

    def rows(self, rows: np.ndarray) -> Evaluation:
        """Return what is known of the architectures at these rows, in their order."""

        def taken(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: values[rows] for name, values in columns.items()}

        return Evaluation(
            self.space,
            [self.architectures[row] for row in rows],
            taken(self.mean),
            taken(self.std),
            taken(self.true),
            taken(self.analytic),
            self.merit[rows],
        )

    def best_known(self, name: str) -> tuple[np.ndarray, str]:
        """Return a property's true values if a table has all of them, else the predicted ones."""
        true = self.true.get(name)
        if true is not None and np.isfinite(true).all():
            return true, "true"
        if name in self.mean:
            return self.mean[name], "predicted"
        return self.analytic[name], "exact"


def ranking_table(generated: Evaluation, top: int) -> RichTable:
    """Return the first `top` distinct architectures with all that is known of them."""
    table = RichTable(box=None, header_style="bold")
    table.add_column("")
    table.add_column("architecture", overflow="fold")
    for name in generated.mean:
        table.add_column(f"{name}\npredicted", justify="right")
        if name in generated.true:
            table.add_column(f"{name}\ntrue", justify="right")
    for name in generated.analytic:
        table.add_column(f"{escape(name)}{unit(name)}", justify="right")
    first_rows = {one: row for row, one in reversed(list(enumerate(generated.architectures)))}
    for place, row in enumerate(sorted(first_rows.values())[:top], start=1):
        cells = []
        for name, mean in generated.mean.items():
            cells.append(f"{mean[row]:.2f} ± {generated.std[name][row]:.2f}")
            if name in generated.true:
                true = generated.true[name][row]
                cells.append(f"{true:.2f}" if np.isfinite(true) else "-")
        cells += [f"{values[row]:.3f}" for values in generated.analytic.values()]
        text = generated.space.format(generated.architectures[row])
        table.add_row(str(place), escape(text), *cells)
    return table


def metrics_table(
    quality: GenerationQuality,
    samples: Samples,
    generated: Evaluation,
    uniform: Evaluation,
    request: Request,
) -> RichTable:
    """Return validity, uniqueness, novelty, each property next to uniform random draws, and limits."""
    table = RichTable("", "generated", "uniform random", box=None, header_style="bold")
    table.add_row("architectures", str(len(samples)), str(len(uniform.architectures)))
    table.add_row("distinct", str(len(set(samples))), str(len(set(uniform.architectures))))
    table.add_row("validity of the network itself", f"{quality.validity:.2f} %", "")
    table.add_row("uniqueness of the valid", f"{quality.uniqueness:.2f} %", "")
    table.add_row("novelty of the valid", f"{quality.novelty:.2f} %", "")
    for name in request.judged():
        (here, source), (there, _) = generated.best_known(name), uniform.best_known(name)
        for statistic, function in (("mean", np.mean), ("highest", np.max), ("lowest", np.min)):
            row = f"{statistic} {name} ({source})"
            table.add_row(row, f"{function(here):.2f}", f"{function(there):.2f}")
    if request.limits:
        share = 100 * samples.rejected / len(samples.drawn)
        table.add_row("rejected for a limit, of all drawn", f"{share:.2f} %", "")
    for bound in request.limits:
        (here, source), (there, _) = (
            one.best_known(bound.property.property_name) for one in (generated, uniform)
        )
        kept = (100 * np.mean(bound.allows(values)) for values in (here, there))
        label = f"keeps {bound.describe()} ({source})"
        table.add_row(escape(label), *(f"{share:.2f} %" for share in kept))
    return table


def write_json_lines(generated: Evaluation, path: Path, on_front: np.ndarray | None = None) -> None:
    """Write one JSON object a line: architecture, validity, properties, and what else is known."""
    lines = []
    for row, architecture in enumerate(generated.architectures):
        predicted = {name: float(values[row]) for name, values in generated.mean.items()}
        analytic = {name: float(values[row]) for name, values in generated.analytic.items()}
        record: dict[str, object] = {
            "architecture": generated.space.format(architecture),
            "valid": bool(generated.space.is_valid(architecture)),
            "properties": predicted | analytic,
        }
        if predicted:
            record["std"] = {name: float(values[row]) for name, values in generated.std.items()}
        true = {n: float(v[row]) for n, v in generated.true.items() if np.isfinite(v[row])}
        if true:
            record["true"] = true
        if on_front is not None:
            record["front"] = bool(on_front[row])
        lines.append(json.dumps(record) + "\n")
    with write_atomically(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def write_origin(
    path: Path, quality: GenerationQuality, request: Request, uniform: Evaluation
) -> None:
    """Write beside a file what was asked for, what the network drew, and uniform random draws."""
    allowed = set(within_limits(request.limits, uniform.architectures))
    rows = [row for row, one in enumerate(uniform.architectures) if one in allowed]
    random = uniform.rows(np.array(rows, dtype=np.intp))
    pairs = zip(request.properties, request.weights, strict=True)
    record = RunRecord(
        search_space=uniform.space.name,
        about=origin(
            quality={f"{name} of what the network drew, %": x for name, x in vars(quality).items()},
        ),
        goals={one.property_name: 1 if weight > 0 else -1 for one, weight in pairs},
        limits=tuple(bound.describe() for bound in request.limits),
        random={name: x.tolist() for name, x in (random.analytic | random.mean).items()},
        random_true={name: x.tolist() for name, x in random.true.items()},
    )
    write_run_record(path, record)


def plot_property(
    path: Path, groups: Mapping[str, Evaluation], name: str, oracle_size: int
) -> None:
    """Draw the distribution of a property in each group (paper, Figure 2).

    The best `oracle_size` of the installed table, if there is one, make a further group.
    """
    from diffusionnag.report import plot_distributions

    space = next(iter(groups.values())).space
    sources = {group: evaluation.best_known(name) for group, evaluation in groups.items()}
    kinds = {source for _, source in sources.values()}
    mixed = len(kinds) > 1
    kind = "predicted" if mixed else kinds.pop()
    values = {
        group: evaluation.mean[name] if mixed else sources[group][0]
        for group, evaluation in groups.items()
    }
    table = measured_table(space.name, name)
    if kind == "true" and table is not None:
        column = table.column(name)
        best = np.sort(column[np.isfinite(column)])[-oracle_size:]
        values[f"the table's top {len(best):,}"] = best
    plot_distributions(
        values, path, xlabel=f"{name} ({kind})", title=f"Generated {space.name} architectures"
    )
