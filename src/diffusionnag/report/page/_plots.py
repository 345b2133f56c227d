"""The pictures of a set of architectures, as elements of a page."""

from __future__ import annotations

from functools import partial

import numpy as np

from diffusionnag.report.best_so_far_plot import plot_best_so_far
from diffusionnag.report.distribution_plot import plot_distributions
from diffusionnag.report.page._architecture_set import ArchitectureSet
from diffusionnag.report.page._pictures import Picture, draw_inline
from diffusionnag.report.page._section import number
from diffusionnag.report.pareto_plot import PANEL, plot_pareto
from diffusionnag.spaces.cost import unit

MOST_POINTS = 2_000
"""Points of a scatter plot; more would only lie on top of each other."""
MOST_DISTRIBUTIONS = 3


def plots_of(one: ArchitectureSet, title: str) -> tuple[Picture, ...]:
    """Return the pictures that fit a set: of a search its course, of several goals their front.

    What was generated has the distributions of what was asked for, beside uniform random draws.
    """
    plots = []
    if one.trials is not None and len(one.goals) == 1 and one.allowed.any():
        plots.append(_best_so_far(one, title))
    if len(one.goals) in PANEL and one.on_front().any():
        plots.append(_front(one, title))
    if one.trials is None:
        names = list(one.goals or one.std or one.properties)[:MOST_DISTRIBUTIONS]
        drawn = (_distribution(one, name, f"{name} of {title}") for name in names)
        plots += [plot for plot in drawn if plot]
    return tuple(plots)


def _best_so_far(one: ArchitectureSet, title: str) -> Picture:
    assert one.trials is not None
    ((name, sign),) = one.goals.items()
    order = np.argsort(one.trials)
    values, allowed = one.properties[name][order], one.allowed[order]
    draw = partial(
        plot_best_so_far,
        values,
        name=name,
        title=f"Search of {title}",
        warm_up=one.record.warm_up if one.record else 0,
        minimize=sign < 0,
        allowed=allowed,
    )
    best = number(sign * (sign * values[allowed]).max())
    alt = f"{len(values):,} measured values of {name} in order, and the best so far: {best} in the end"
    return draw_inline(draw, alt)


def _front(one: ArchitectureSet, title: str) -> Picture:
    names, front = list(one.goals), one.on_front()
    rows = np.concatenate([np.flatnonzero(front), np.flatnonzero(~front & one.allowed)])
    rows = rows[: max(MOST_POINTS, int(front.sum()))]
    random = [one.random(name, "predicted")[:MOST_POINTS] for name in names]
    known = len({len(column) for column in random}) == 1 and len(random[0]) > 0
    draw = partial(
        plot_pareto,
        np.stack([one.properties[name] for name in names], axis=1)[rows],
        chosen=np.arange(front.sum()),
        names=names,
        directions=list(one.goals.values()),
        units=[unit(name).strip() for name in names],
        random=np.stack(random, axis=1) if known else None,
        title=title,
        kind="measured" if one.trials is not None else "generated",
        mark="on the front",
    )
    of = f"{len(rows):,} architectures by {' and '.join(names)}"
    return draw_inline(draw, f"{of}, {front.sum():,} of them on the front")


def _distribution(one: ArchitectureSet, name: str, title: str) -> Picture | None:
    values, kind = one.best_known(name)
    groups = {"generated": values[np.isfinite(values)], one.random_name: one.random(name, kind)}
    groups = {group: found for group, found in groups.items() if len(found)}
    if not groups:
        return None
    means = ", ".join(f"mean of {group} {number(found.mean())}" for group, found in groups.items())
    label = f"{name}{unit(name)} ({kind})"
    draw = partial(plot_distributions, groups, xlabel=label, title=title)
    return draw_inline(draw, f"Distribution of {name} ({kind}): {means}")
