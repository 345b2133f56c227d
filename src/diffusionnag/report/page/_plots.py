"""The pictures of a set of architectures, as elements of a page."""

from __future__ import annotations

from functools import partial

import numpy as np

from diffusionnag.report._axes import with_unit
from diffusionnag.report.best_so_far_plot import plot_best_so_far
from diffusionnag.report.distribution_plot import plot_distributions
from diffusionnag.report.page._architecture_set import ArchitectureSet
from diffusionnag.report.page._pictures import Picture, draw_inline
from diffusionnag.report.page._section import number
from diffusionnag.report.pareto_plot import PANEL, plot_pareto

MOST_POINTS = 2_000
"""Points of a scatter plot; more would only lie on top of each other."""
MOST_DISTRIBUTIONS = 3
NARROW = 3.0
"""Inches of axes that a phone shows whole, and a wide screen enlarges."""


def plots_of(entry: ArchitectureSet, title: str) -> tuple[Picture, ...]:
    """Return the pictures that fit a set: of a search its course, of several goals their front.

    What was generated has the distributions of what was asked for, beside uniform random draws.
    """
    plots = []
    if entry.trials is not None and len(entry.goals) == 1 and entry.allowed.any():
        plots.append(_best_so_far(entry, title))
    if len(entry.goals) in PANEL and entry.on_front().any():
        plots.append(_front(entry, title))
    if entry.trials is None:
        names = list(entry.goals or entry.std or entry.properties)[:MOST_DISTRIBUTIONS]
        drawn = (_distribution(entry, name, f"{name} of {title}") for name in names)
        plots += [plot for plot in drawn if plot]
    return tuple(plots)


def _best_so_far(entry: ArchitectureSet, title: str) -> Picture:
    assert entry.trials is not None
    ((name, sign),) = entry.goals.items()
    order = np.argsort(entry.trials)
    values, allowed = entry.properties[name][order], entry.allowed[order]
    draw = partial(
        plot_best_so_far,
        values,
        name=name,
        title=f"Search of {title}",
        warm_up=entry.record.warm_up if entry.record else 0,
        minimize=sign < 0,
        allowed=allowed,
        plot_width=NARROW,
    )
    best = number(sign * (sign * values[allowed]).max())
    alt = f"{len(values):,} measured values of {name} in order, and the best so far: {best} in the end"
    return draw_inline(draw, alt)


def _front(entry: ArchitectureSet, title: str) -> Picture:
    names, front = list(entry.goals), entry.on_front()
    rows = np.concatenate([np.flatnonzero(front), np.flatnonzero(~front & entry.allowed)])
    rows = rows[: max(MOST_POINTS, int(front.sum()))]
    random = [entry.random(name, "predicted")[:MOST_POINTS] for name in names]
    known = len({len(column) for column in random}) == 1 and len(random[0]) > 0
    draw = partial(
        plot_pareto,
        np.stack([entry.properties[name] for name in names], axis=1)[rows],
        chosen=np.arange(front.sum()),
        names=names,
        directions=list(entry.goals.values()),
        random=np.stack(random, axis=1) if known else None,
        title=title,
        kind="measured" if entry.trials is not None else "generated",
        mark="on the front",
        plot_width=NARROW,
    )
    of = f"{len(rows):,} architectures by {' and '.join(names)}"
    return draw_inline(draw, f"{of}, {front.sum():,} of them on the front")


def _distribution(entry: ArchitectureSet, name: str, title: str) -> Picture | None:
    values, kind = entry.best_known(name)
    groups = {"generated": values[np.isfinite(values)], entry.random_name: entry.random(name, kind)}
    groups = {group: values for group, values in groups.items() if len(values)}
    if not groups:
        return None
    means = ", ".join(
        f"mean of {group} {number(values.mean())}" for group, values in groups.items()
    )
    label = f"{kind} {with_unit(name, values)}"
    draw = partial(plot_distributions, groups, xlabel=label, title=title, plot_width=NARROW)
    return draw_inline(draw, f"Distribution of {name} ({kind}): {means}")
