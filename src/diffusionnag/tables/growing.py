"""A folder in which a table of random architectures grows, one row at a time."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np

from diffusionnag._files import read_json, write_atomically
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace


def check_identity(path: Path, wanted: dict[str, object], advice: str) -> None:
    """Note in a JSON file what the table beside it is about, or compare it with what is noted.

    Raises DiffusionNAGError, with `advice`, where the table is about something else, and for a
    damaged file.
    """
    wanted = json.loads(json.dumps(wanted))
    if path.exists():
        try:
            kept = read_json(path)
        except ValueError as error:
            raise DiffusionNAGError(
                f"{path} is damaged; delete {path.parent} to measure again"
            ) from error
        if kept != wanted:
            raise DiffusionNAGError(f"{path.parent} holds {advice}")
        return
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")


def draw_other(space: SearchSpace, taken: Collection[Architecture], seed: int) -> Architecture:
    """Return a random architecture that is not taken; which one, follows from how many are."""
    rng = np.random.default_rng([seed, len(taken)])
    while True:
        (drawn,) = space.sample(1, rng)
        if drawn not in taken:
            return drawn


def draw_distinct(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """Return distinct random architectures, the first ones the same for any `count`."""
    drawn = dict[Architecture, None]()
    while len(drawn) < count:
        drawn[draw_other(space, drawn, seed)] = None
    return list(drawn)
