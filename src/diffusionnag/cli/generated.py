"""What `generate` knows about generated architectures, and how it shows that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table as RichTable

from diffusionnag.benchmarks import measured_table
from diffusionnag.cli.console import unit
from diffusionnag.diffusion.guidance import Guidance, SumOfGuidance, maximise
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.files import write_atomically
from diffusionnag.generator import Samples
from diffusionnag.metrics import GenerationQuality
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.spaces import Architecture, SearchSpace


@dataclass(frozen=True)
class Guides:
    """The predictors that were asked for, with their weights."""

    predictors: tuple[PropertyPredictor, ...]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.predictors)

    def guidance(self, space: SearchSpace, distinct: int | None) -> Guidance | None:
        """Return all guides as one guidance, None without any; see `maximise` for `distinct`."""
        terms = [
            maximise(predictor, weight, distinct=distinct, space_size=space.size)
            for predictor, weight in zip(self.predictors, self.weights, strict=True)
        ]
        return SumOfGuidance(tuple(terms)) if terms else None


def parse_guides(texts: Sequence[str], space: SearchSpace) -> Guides:
    """Return the guides of `NAME_OR_PATH[=WEIGHT]` texts.

    Raises DiffusionNAGError for an unknown predictor, a weight that is no number, or a property
    named twice.
    """
    predictors, weights = [], []
    for text in texts:
        name, separator, number = text.rpartition("=")
        if not separator:
            name, number = text, "1"
        try:
            weight = float(number)
        except ValueError as error:
            raise DiffusionNAGError(f"the weight in --guide {text} is no number") from error
        if not np.isfinite(weight) or weight == 0:
            raise DiffusionNAGError(f"the weight in --guide {text} must be a number other than 0")
        predictors.append(PropertyPredictor.from_pretrained(name, search_space=space))
        weights.append(weight)
    names = [predictor.property_name for predictor in predictors]
    for name in names:
        if names.count(name) > 1:
            raise DiffusionNAGError(f"the property {name} is guided twice; give it one weight")
    return Guides(tuple(predictors), tuple(weights))


@dataclass(frozen=True)
class Evaluation:
    """Architectures with their predicted, analytic and, where a table has them, true properties.

    Arrays are `batch`, one for each property; `merit` is the weighted sum of standardised guides.
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
        cls, space: SearchSpace, architectures: list[Architecture], guides: Guides
    ) -> Evaluation:
        """Return what is known of these architectures."""
        mean, std, true = {}, {}, {}
        merit = np.zeros(len(architectures))
        texts = [space.format(architecture) for architecture in architectures]
        for predictor, weight in zip(guides.predictors, guides.weights, strict=True):
            name = predictor.property_name
            mean[name], std[name] = predictor.predict(architectures)
            merit += weight * predictor.normal_score(architectures)
            table = measured_table(space.name, name)
            if table is not None:
                true[name] = table.lookup(name, texts)
        rows = [space.analytic_properties(architecture) for architecture in architectures]
        analytic = {name: np.array([row[name] for row in rows]) for name in (rows or [{}])[0]}
        return cls(space, architectures, mean, std, true, analytic, merit)

    def ranked(self) -> Evaluation:
        """Return the same, best first; the order is kept where there is no guide."""
        order = np.argsort(-self.merit, kind="stable")

        def ordered(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: values[order] for name, values in columns.items()}

        return Evaluation(
            self.space,
            [self.architectures[row] for row in order],
            ordered(self.mean),
            ordered(self.std),
            ordered(self.true),
            ordered(self.analytic),
            self.merit[order],
        )

    def best_known(self, name: str) -> tuple[np.ndarray, str]:
        """Return a property's true values if a table has all of them, else the predicted ones."""
        true = self.true.get(name)
        if true is not None and np.isfinite(true).all():
            return true, "true"
        return self.mean[name], "predicted"


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
    quality: GenerationQuality, samples: Samples, generated: Evaluation, uniform: Evaluation
) -> RichTable:
    """Return validity, uniqueness, novelty, and each property next to uniform random draws."""
    table = RichTable("", "generated", "uniform random", box=None, header_style="bold")
    table.add_row("architectures", str(len(samples)), str(len(uniform.architectures)))
    table.add_row("distinct", str(len(set(samples))), str(len(set(uniform.architectures))))
    table.add_row("validity of the network itself", f"{quality.validity:.2f} %", "")
    table.add_row("uniqueness of the valid", f"{quality.uniqueness:.2f} %", "")
    table.add_row("novelty of the valid", f"{quality.novelty:.2f} %", "")
    for name in generated.mean:
        (here, source), (there, _) = generated.best_known(name), uniform.best_known(name)
        for statistic, function in (("mean", np.mean), ("best", np.max), ("worst", np.min)):
            row = f"{statistic} {name} ({source})"
            table.add_row(row, f"{function(here):.2f}", f"{function(there):.2f}")
    return table


def write_json_lines(generated: Evaluation, path: Path) -> None:
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
        lines.append(json.dumps(record) + "\n")
    with write_atomically(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def plot_property(path: Path, groups: Mapping[str, Evaluation], oracle_size: int) -> None:
    """Draw the distribution of the first guide's property in each group (paper, Figure 2).

    The best `oracle_size` of the installed table, if there is one, make a further group.
    """
    from diffusionnag.report import plot_distributions

    space = next(iter(groups.values())).space
    name = next(iter(next(iter(groups.values())).mean))
    sources = {group: evaluation.best_known(name) for group, evaluation in groups.items()}
    true = all(source == "true" for _, source in sources.values())
    values = {
        group: sources[group][0] if true else evaluation.mean[name]
        for group, evaluation in groups.items()
    }
    table = measured_table(space.name, name)
    if true and table is not None:
        column = table.column(name)
        best = np.sort(column[np.isfinite(column)])[-oracle_size:]
        values[f"the table's top {len(best):,}"] = best
    kind = "true" if true else "predicted"
    plot_distributions(
        values, path, xlabel=f"{name} ({kind})", title=f"Generated {space.name} architectures"
    )
