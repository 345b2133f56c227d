"""The section of a set of architectures: what was asked, what came out, and the best of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from diffusionnag.report.page._architecture_set import ArchitectureSet
from diffusionnag.report.page._pictures import Picture, draw_architecture, find_space
from diffusionnag.report.page._plots import plots_of
from diffusionnag.report.page._section import Section, Table, asked_for, number
from diffusionnag.spaces import SearchSpace
from diffusionnag.spaces.cost import unit

SHOWN_ROWS, MOST_ROWS = 10, 100
WAYS = {1: "raise", -1: "lower"}


def architectures_section(
    one: ArchitectureSet, anchor: str, top: int, own: SearchSpace | None
) -> Section:
    """Return the section of a set, with drawings of the `top` best.

    The space of the architectures is `own` if they are of that, or else a registered one.
    """
    stated = one.record.search_space if one.record else None
    space = find_space(one.architectures[0], stated, own)
    ranking = one.ranking()
    return Section(
        anchor=anchor,
        kind="Search" if one.trials is not None else "Generated architectures",
        title=one.name,
        asked=_asked(one, space),
        command=one.record.about.command if one.record else "",
        figures=_figures(one),
        plots=plots_of(one, f"{space.name} architectures" if space else "architectures"),
        drawn="Along the front" if len(one.goals) > 1 else "The best",
        drawings=_drawings(one, space, _best_rows(one, ranking, top)) if space else (),
        tables=(_table(one, ranking),),
    )


def _asked(one: ArchitectureSet, space: SearchSpace | None) -> tuple[tuple[str, str], ...]:
    record = one.record
    if record is None:
        return (("search space", space.name),) if space else ()
    return asked_for(
        record.about,
        search_space=record.search_space,
        goal=", ".join(f"{WAYS[sign]} {name}" for name, sign in one.goals.items()),
        limits=" and ".join(record.limits),
        data=record.about.data,
    )


def _figures(one: ArchitectureSet) -> tuple[tuple[str, str], ...]:
    """Return the numbers that tell most."""
    count = f"{len(one.architectures):,}"
    if one.trials is not None:
        found = {"measured": count}
    else:
        found = {"architectures": count, "distinct": f"{len(set(one.architectures)):,}"}
    if not one.allowed.all():
        found["keep the constraints"] = f"{one.allowed.sum():,}"
    for name, sign in one.goals.items():
        values, kind = one.best_known(name)
        values = values[one.allowed & np.isfinite(values)]
        if not len(values):
            continue
        found[f"best {name}, {kind}"] = number(sign * (sign * values).max())
        if one.trials is None:
            found[f"mean {name}, {kind}"] = number(values.mean())
            random = one.random(name, kind)
            if len(random):
                found[f"mean {name}, {one.random_name}"] = number(random.mean())
    if len(one.goals) > 1:
        found["on the front"] = f"{one.on_front().sum():,}"
    if one.record:
        found |= {name: number(value) for name, value in one.record.about.quality.items()}
    return tuple(found.items())


def _best_rows(one: ArchitectureSet, ranking: np.ndarray, top: int) -> Sequence[int]:
    """Return the rows of the best distinct; of several goals, evenly spread along the front."""
    if len(one.goals) > 1:
        rows = np.flatnonzero(one.on_front())
        rows = rows[np.argsort(one.properties[next(iter(one.goals))][rows], kind="stable")]
        places = np.linspace(0, len(rows) - 1, min(top, len(rows)))
        return rows[places.round().astype(int)].tolist()
    first: dict[str, int] = {}
    for row in ranking.tolist():
        if len(first) < top:
            first.setdefault(one.architectures[row], row)
    return list(first.values())


def _drawings(
    one: ArchitectureSet, space: SearchSpace, rows: Sequence[int]
) -> tuple[tuple[Picture, str], ...]:
    drawings = []
    for row in rows:
        picture = draw_architecture(space, one.architectures[row])
        if picture is not None:
            values = [f"{name} {_value(one, name, row)}" for name in one.goals or one.std]
            drawings.append((picture, ", ".join(values)))
    return tuple(drawings)


def _table(one: ArchitectureSet, ranking: np.ndarray) -> Table:
    names = list(dict.fromkeys((*one.goals, *one.properties)))
    true = [name for name in names if name in one.true]
    columns = [f"{name}{unit(name)}" for name in names] + [f"{name}, true" for name in true]
    rows = []
    for place, row in enumerate(ranking[:MOST_ROWS].tolist(), start=1):
        cells = [_value(one, name, row) for name in names]
        cells += [number(float(one.true[name][row])) for name in true]
        rows.append((str(place), one.architectures[row], *cells))
    count = len(ranking)
    title = f"The first {MOST_ROWS} of {count:,}" if count > MOST_ROWS else f"All {count:,}"
    return Table(title, ("", "architecture", *columns), tuple(rows), SHOWN_ROWS)


def _value(one: ArchitectureSet, name: str, row: int) -> str:
    """Return a property of an architecture, with its standard deviation if it is predicted."""
    value, std = one.properties[name][row], one.std.get(name)
    if std is None or not (np.isfinite(value) and 0 < std[row] < np.inf):
        return number(value)
    decimals = max(0, 1 - math.floor(math.log10(std[row])))
    return f"{value:.{decimals}f} ± {std[row]:.{decimals}f}"
