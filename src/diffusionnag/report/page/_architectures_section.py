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
from diffusionnag.spaces.units import unit

SHOWN_ROWS, MOST_ROWS = 10, 100
WAYS = {1: "raise", -1: "lower"}
MORE_TRIALS = "search on: run its command again with more --trials and the same --storage"
MEASURE = "train the best (diffusionnag train), or search from here (diffusionnag search)"


def architectures_section(
    entry: ArchitectureSet, anchor: str, top: int, own: SearchSpace | None
) -> Section:
    """Return the section of a set, with drawings of the `top` best.

    The space of the architectures is `own` if they are of that, or else a registered one.
    """
    stated = entry.record.search_space if entry.record else None
    space = find_space(entry.architectures[0], stated, own)
    ranking, figures = entry.ranking(), _figures(entry)
    return Section(
        anchor=anchor,
        kind="Search" if entry.trials is not None else "Generated architectures",
        title=entry.name,
        asked=_asked(entry, space),
        command=entry.record.about.command if entry.record else "",
        figures=figures,
        plots=plots_of(entry, f"{space.name} architectures" if space else "architectures"),
        drawn="Along the front" if len(entry.goals) > 1 else "The best",
        drawings=_drawings(entry, space, _best_rows(entry, ranking, top)) if space else (),
        tables=(_table(entry, ranking),),
        headline=next(
            (f"{name} {value}" for name, value in figures if name.startswith("best")), ""
        ),
        next_step=MORE_TRIALS if entry.trials is not None else MEASURE,
    )


def _asked(entry: ArchitectureSet, space: SearchSpace | None) -> tuple[tuple[str, str], ...]:
    record = entry.record
    if record is None:
        return (("search space", space.name),) if space else ()
    return asked_for(
        record.about,
        search_space=record.search_space,
        goal=", ".join(f"{WAYS[sign]} {name}" for name, sign in entry.goals.items()),
        limits=" and ".join(record.limits),
        data=record.about.data,
    )


def _figures(entry: ArchitectureSet) -> tuple[tuple[str, str], ...]:
    """Return the numbers that tell most."""
    count = f"{len(entry.architectures):,}"
    if entry.trials is not None:
        figures = {"measured": count}
    else:
        figures = {"architectures": count, "distinct": f"{len(set(entry.architectures)):,}"}
    if not entry.allowed.all():
        figures["keep the constraints"] = f"{entry.allowed.sum():,}"
    for name, sign in entry.goals.items():
        values, kind = entry.best_known(name)
        values = values[entry.allowed & np.isfinite(values)]
        if not len(values):
            continue
        figures[f"best {name}, {kind}"] = number(sign * (sign * values).max())
        if entry.trials is None:
            figures[f"mean {name}, {kind}"] = number(values.mean())
            random = entry.random(name, kind)
            if len(random):
                figures[f"mean {name}, {entry.random_name}"] = number(random.mean())
    if len(entry.goals) > 1:
        figures["on the front"] = f"{entry.on_front().sum():,}"
    if entry.record:
        figures |= {name: number(value) for name, value in entry.record.about.quality.items()}
    return tuple(figures.items())


def _best_rows(entry: ArchitectureSet, ranking: np.ndarray, top: int) -> Sequence[int]:
    """Return the rows of the best distinct; of several goals, evenly spread along the front."""
    if len(entry.goals) > 1:
        rows = np.flatnonzero(entry.on_front())
        rows = rows[np.argsort(entry.properties[next(iter(entry.goals))][rows], kind="stable")]
        places = np.linspace(0, len(rows) - 1, min(top, len(rows)))
        return rows[places.round().astype(int)].tolist()
    first: dict[str, int] = {}
    for row in ranking.tolist():
        if len(first) < top:
            first.setdefault(entry.architectures[row], row)
    return list(first.values())


def _drawings(
    entry: ArchitectureSet, space: SearchSpace, rows: Sequence[int]
) -> tuple[tuple[Picture, str], ...]:
    drawings = []
    for row in rows:
        picture = draw_architecture(space, entry.architectures[row])
        if picture is not None:
            values = [f"{name} {_value(entry, name, row)}" for name in entry.goals or entry.std]
            drawings.append((picture, ", ".join(values)))
    return tuple(drawings)


def _table(entry: ArchitectureSet, ranking: np.ndarray) -> Table:
    names = list(dict.fromkeys((*entry.goals, *entry.properties)))
    true = [name for name in names if name in entry.true]
    columns = [f"{name}{unit(name, entry.properties[name])}" for name in names]
    columns += [f"{name}{unit(name, entry.true[name])}, true" for name in true]
    rows = []
    for place, row in enumerate(ranking[:MOST_ROWS].tolist(), start=1):
        cells = [_value(entry, name, row) for name in names]
        cells += [number(float(entry.true[name][row])) for name in true]
        rows.append((str(place), entry.architectures[row], *cells))
    count = len(ranking)
    title = f"The first {MOST_ROWS} of {count:,}" if count > MOST_ROWS else f"All {count:,}"
    return Table(title, ("", "architecture", *columns), tuple(rows), SHOWN_ROWS)


def _value(entry: ArchitectureSet, name: str, row: int) -> str:
    """Return a property of an architecture, with its standard deviation if it is predicted."""
    value, std = entry.properties[name][row], entry.std.get(name)
    if std is None or not (np.isfinite(value) and 0 < std[row] < np.inf):
        return number(value)
    decimals = max(0, 1 - math.floor(math.log10(std[row])))
    return f"{value:.{decimals}f} ± {std[row]:.{decimals}f}"
