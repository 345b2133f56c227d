"""Numbers that operations stand for, such as `192`, `k3` or `3-6`: their order, and their sums."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from diffusionnag.spaces import SearchSpace

NUMBER = re.compile(
    r"(?:(?<![0-9A-Za-z.])-)?(?:[0-9]+(?:\.[0-9]+)?|(?<![0-9A-Za-z])\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
)
"""A number within an operation's name; a hyphen behind letters or digits parts it from what is before."""
PLACE = "\0"
"""Where a number was, in what is left of a name."""
ALONE = re.compile(f"[A-Za-z]*{PLACE}")
"""What is left of a name that is one number, perhaps after letters."""


@dataclass(frozen=True)
class NumberColumns:
    """What to multiply one-hot rows with, `(N F) x columns` each, to have numbers as ranks from -1 to 1.

    `single` are those of nodes where each choice is one number, perhaps after letters. `several` are
    those of nodes that choose more than one at once, such as kernel and width, within longer names, or
    perhaps none, and whether there are any. `totals` are the sums over nodes whose names and choices
    read alike but for numbers.
    """

    single: np.ndarray
    several: np.ndarray
    totals: np.ndarray


def number_columns(space: SearchSpace) -> NumberColumns:
    """Return the columns of a space's numbers; each array may have none.

    All choices of a node that have numbers must read alike but for these, and no more than one may be
    without, such as `none`. Choices that say where an edge comes from are names.
    """
    single: list[np.ndarray] = []
    several: list[np.ndarray] = []
    alike: dict[tuple[str, str, int], list[np.ndarray]] = {}
    for node in sorted(set(range(len(space.nodes))) - set(space.wiring.nodes)):
        choices = np.flatnonzero(space.allowed[node])
        names = [space.operations[choice] for choice in choices]
        kinds = {NUMBER.sub(PLACE, name) for name in names if NUMBER.search(name)}
        if len(kinds) != 1:
            continue
        (kind,) = kinds
        counted = np.array([NUMBER.search(name) is not None for name in names])
        ranks = _ranks([names[row] for row in np.flatnonzero(counted)])
        if not ranks or (~counted).sum() > 1:
            continue
        if not counted.all():
            ranks[kind.count(PLACE)] = np.ones(counted.sum())
        columns = {}
        for place, rank in ranks.items():
            column = np.zeros(space.allowed.shape)
            column[node, choices[counted]] = rank
            columns[place] = column.ravel()
        is_single = counted.all() and len(np.unique(ranks.get(0, []))) == len(names)
        (single if is_single and ALONE.fullmatch(kind) else several).extend(columns.values())
        role = NUMBER.sub(PLACE, space.nodes[node])
        for place, column in columns.items():
            alike.setdefault((role, kind, place), []).append(column)
    totals = [
        np.sum(group, axis=0) / len(group) ** 0.5 for group in alike.values() if len(group) > 1
    ]
    shape = space.allowed.size
    return NumberColumns(
        *(np.array(each).reshape(len(each), shape).T for each in (single, several, totals))
    )


def _ranks(names: list[str]) -> dict[int, np.ndarray]:
    """Return the ranks from -1 to 1 of each number in names, by its place, that varies on its own."""
    ranks: dict[int, np.ndarray] = {}
    rows = zip(*(map(float, NUMBER.findall(name)) for name in names), strict=True)
    for place, numbers in enumerate(rows):
        values, places = np.unique(numbers, return_inverse=True)
        rank = np.linspace(-1, 1, len(values))[places]
        if len(values) > 1 and not any(np.array_equal(rank, other) for other in ranks.values()):
            ranks[place] = rank
    return ranks
