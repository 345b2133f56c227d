"""The section of a comparison: groups of architectures, trained alike (paper, Table 1)."""

from __future__ import annotations

from functools import partial

import numpy as np

from diffusionnag.networks import Comparison, comparison_rows, metric_title, metric_unit
from diffusionnag.report.distribution_plot import plot_distributions
from diffusionnag.report.page._architecture_set import printable
from diffusionnag.report.page._pictures import (
    Picture,
    draw_architecture,
    draw_inline,
    find_space,
)
from diffusionnag.report.page._run_folder import NamedComparison
from diffusionnag.report.page._section import Section, Table, asked_for, number
from diffusionnag.spaces import SearchSpace, is_better


def comparison_section(entry: NamedComparison, anchor: str, own: SearchSpace | None) -> Section:
    """Return the section of a comparison, with a drawing of the best of each group."""
    comparison = entry.comparison
    first = printable(next(iter(comparison.groups)))
    columns = ("", "group", "max", "mean", "min", f"p against {first}")
    rows = tuple(
        (str(place), *row) for place, row in enumerate(comparison_rows(comparison), start=1)
    )
    means = {name: accuracies.mean() for name, accuracies in comparison.accuracies.items()}
    title, unit = metric_title(comparison.metric), metric_unit(comparison.metric)
    choose = min if is_better(comparison.metric, 0, 1) else max
    best = choose(means, key=lambda name: means[name])
    return Section(
        anchor=anchor,
        kind="Comparison",
        title=entry.name,
        asked=asked_for(
            comparison.about, search_space=comparison.search_space, images=comparison.about.data
        ),
        command=comparison.about.command,
        figures=tuple(
            (f"mean {metric_title(comparison.metric)} of {name}", number(mean))
            for name, mean in means.items()
        ),
        plots=(_accuracies(comparison),),
        headline=f"best mean {number(means[best])}{unit}: {printable(best)}",
        next_step="surer: its command again, with more --seeds",
        drawn="The best of each group",
        drawings=_drawings(comparison, own),
        tables=(
            Table(
                f"{title.capitalize()}, mean and 95 % interval over seeds",
                columns,
                rows,
                len(rows),
            ),
        ),
    )


def _accuracies(comparison: Comparison) -> Picture:
    groups = {
        printable(name): accuracies.mean(axis=1)
        for name, accuracies in comparison.accuracies.items()
    }
    unit = metric_unit(comparison.metric)
    means = ", ".join(
        f"{name} {number(accuracies.mean())}{unit}" for name, accuracies in groups.items()
    )
    title = f"Trained {printable(comparison.search_space)} architectures"
    draw = partial(
        plot_distributions,
        groups,
        xlabel=f"{metric_title(comparison.metric)}, mean over seeds",
        title=title,
    )
    return draw_inline(draw, f"Accuracies of each group; means: {means}")


def _drawings(comparison: Comparison, own: SearchSpace | None) -> tuple[tuple[Picture, str], ...]:
    drawings, unit = [], metric_unit(comparison.metric)
    for name, texts in comparison.groups.items():
        accuracies = comparison.accuracies[name].mean(axis=1)
        best = int((np.argmin if is_better(comparison.metric, 0, 1) else np.argmax)(accuracies))
        space = find_space(texts[best], comparison.search_space, own)
        picture = draw_architecture(space, texts[best]) if space else None
        if picture is not None:
            drawings.append((picture, f"{name}: {number(accuracies[best])}{unit}"))
    return tuple(drawings)
