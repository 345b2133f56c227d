"""How `generate` and `transfer` show what they generated: tables, files and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.markup import escape
from rich.table import Table

from diffusionnag.cli.console import messages, origin, results
from diffusionnag.cli.show_ranking import Column, print_ranking
from diffusionnag.generation.best import Best
from diffusionnag.generation.evaluation import Evaluation
from diffusionnag.generation.front import Front
from diffusionnag.generation.resampled import Resampled
from diffusionnag.generation.result import GenerationResult
from diffusionnag.generation.streamed import Streamed
from diffusionnag.report import plot_front, plot_generated
from diffusionnag.spaces.units import unit
from diffusionnag.tables import TABLES

DOUBTFUL = 2.0
"""So many times the usual deviation is worth a warning."""


def show_generation(result: GenerationResult, top: int, out: Path | None) -> None:
    """Print the `top` best and how good all of them are, and write them if wanted."""
    details = result.samples.details
    if isinstance(details, Resampled):
        least = 100 * min(details.effective_sample_size)
        messages.print(f"effective sample size: at least {least:.0f} % of the particles")
    elif isinstance(details, Best | Front):
        messages.print(_effort(details), highlight=False)
        for warning in _doubts(result):
            messages.print(warning, markup=False)
    shown = result.generated
    if isinstance(details, Front):
        shown = shown.rows(_spread(np.flatnonzero(details.on_front), top))
    shown = shown.distinct().first(top)
    print_ranking(list(map(shown.space.format, shown.architectures)), list(_columns(shown)))
    results.print(comparison_table(result))
    if hint := _where_the_truth_is(result):
        messages.print(hint, markup=False)
    if out is not None:
        result.save(out, origin())
        messages.print(f"{len(result.samples)} architectures written to {out}", markup=False)


def _where_the_truth_is(result: GenerationResult) -> str | None:
    """Return what to install for a column of true values, None where nothing is missing."""
    if not result.request.properties or result.generated.true:
        return None
    missing = (
        table.how_to_get
        for table in TABLES
        if table.space == result.generated.space.name
        and table.how_to_get.startswith("pip")
        and table.reader() is None
    )
    command = next(missing, None)
    return None if command is None else f"for true values beside the predicted ones: {command}"


def _effort(details: Best | Front) -> str:
    """Return how the best, or the front, were found, in one line."""
    what = "best" if isinstance(details, Best) else "front"
    if details.whole:
        return f"the {what} of the whole space: all {details.predicted:,} were predicted"
    unfinished = "" if details.complete else "; time ran out, --seconds gives more"
    return f"the {what} of {details.predicted:,} that were predicted{unfinished}"


def _doubts(result: GenerationResult) -> Iterator[str]:
    """Yield a warning for each guide whose best lie outside of what its predictor has learnt."""
    for guide in result.request.properties:
        name = guide.property_name
        if name in result.generated.std:
            here, there = (
                float(np.median(evaluation.std[name]))
                for evaluation in (result.generated, result.uniform)
            )
            if here > DOUBTFUL * there:
                yield (
                    f"{name} is predicted to ± {here:.2g} here, to ± {there:.2g} for random "
                    "architectures: the best lie outside of what the predictor has learnt; "
                    "--cautious 1 avoids them"
                )


def show_streamed(summary: Streamed, limited: bool, count: int, out: Path) -> None:
    """Print how good the network was that wrote so many samples into a file."""
    results.print(f"validity of the network itself: {100 * summary.valid / summary.drawn:.2f} %")
    if limited:
        share = 100 * summary.rejected / summary.drawn
        results.print(f"rejected for a limit, of all drawn: {share:.2f} %")
    if summary.unbuildable:
        results.print(f"left out, as no network of them can be built: {summary.unbuildable}")
    messages.print(f"{count} architectures written to {out}", markup=False)


def draw_generation(result: GenerationResult, path: Path) -> None:
    """Draw the first property's distribution, or the front, into a picture."""
    draw = plot_generated if result.fronts is None else plot_front
    draw(result, path)
    messages.print(f"drawn into {path}", markup=False)


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """Return `count` of the rows, evenly spread over them."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows)))
    return rows[places.round().astype(int)]


def _columns(generated: Evaluation) -> Iterator[Column]:
    """Yield what is known of architectures, column by column."""
    for name, mean in generated.mean.items():
        pairs = zip(mean, generated.std[name], strict=True)
        yield (
            f"{name}\npredicted{unit(name, mean)}",
            [f"{value:.2f} ± {std:.2f}" for value, std in pairs],
        )
        if name in generated.true:
            true = generated.true[name]
            yield (
                f"{name}\ntrue{unit(name, true)}",
                [f"{value:.2f}" if np.isfinite(value) else "-" for value in true],
            )
    for name, values in generated.analytic.items():
        yield f"{name}{unit(name)}", [f"{value:.3f}" for value in values]


def comparison_table(result: GenerationResult) -> Table:
    """Return validity, uniqueness, novelty, and properties and limits next to uniform draws."""
    samples, generated, uniform = result.samples, result.generated, result.uniform
    table = Table("", "generated", "uniform random", box=None, header_style="bold")

    def add(label: str, here: str, there: str = "") -> None:
        table.add_row(escape(label), here, there)

    add("architectures", str(len(samples)), str(len(uniform)))
    add("distinct", str(len(set(samples))), str(len(set(uniform.architectures))))
    if result.quality is not None:
        add("validity of the network itself", f"{result.quality.validity:.2f} %")
        add("uniqueness of the valid", f"{result.quality.uniqueness:.2f} %")
        add("novelty of the valid", f"{result.quality.novelty:.2f} %")
    for name in result.request.judged():
        (here, source), (there, _) = generated.best_known(name), uniform.best_known(name)
        for statistic, function in (("mean", np.mean), ("highest", np.max), ("lowest", np.min)):
            label = f"{statistic} {name} ({source})"
            add(label, f"{function(here):.2f}", f"{function(there):.2f}")
    if result.request.limits and samples.drawn:
        share = 100 * samples.rejected / len(samples.drawn)
        add("rejected for a limit, of all drawn", f"{share:.2f} %")
    if samples.unbuildable:
        add("left out, as no network of them can be built", str(samples.unbuildable))
    for limit in result.request.limits:
        name = limit.property.property_name
        (here, source), (there, _) = generated.best_known(name), uniform.best_known(name)
        kept = (100 * np.mean(limit.allows(values)) for values in (here, there))
        add(f"keeps {limit.describe()} ({source})", *(f"{share:.2f} %" for share in kept))
    if result.fronts is not None:
        add("on the first front", str(samples.details.on_front.sum()))
        add(
            _hypervolume_label(result),
            f"{result.fronts.generated:.2f}",
            f"{result.fronts.uniform:.2f}",
        )
    return table


def _hypervolume_label(result: GenerationResult) -> str:
    assert result.fronts is not None
    names = (guide.property_name for guide in result.request.properties)
    pairs = zip(names, result.fronts.reference, strict=True)
    corner = ", ".join(f"{name} {value:.4g}" for name, value in pairs)
    kept = " of what keeps the limits" if result.request.limits else ""
    return (
        f"hypervolume{kept}, predicted and standardised,\nfrom the worst of 1,000 random: {corner}"
    )
