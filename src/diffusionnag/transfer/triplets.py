"""Triplets to learn from: an architecture, its accuracy, and the classes it was trained to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diffusionnag._files import write_atomically
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables.cells import architecture_text, listed, numbers_of, read_cells

FEWEST_TRIPLETS = 50
MOST_HELD_OUT = 400
CLASS_COLUMNS = ("classes", "imagenet_classes")
SPLIT_ORDER = "split_order"


@dataclass(frozen=True, eq=False)
class Triplets:
    """Architectures, accuracies in % (`count`), and the numbers of each one's classes.

    `held_out` are the rows that are never learnt from.
    """

    architectures: list[Architecture]
    accuracies: np.ndarray
    classes: list[tuple[int, ...]]
    held_out: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """The rows to learn from."""
        return np.setdiff1d(np.arange(len(self.accuracies)), self.held_out)


def read_triplets(
    path: Path, space: SearchSpace, class_names: Sequence[str], held_out: int | None
) -> Triplets:
    """Read a file of triplets (.parquet or .jsonl): columns `arch`, `accuracy`, and `classes`.

    `classes` (or `imagenet_classes`) lists, for each row, the names or numbers of the classes in
    the image data set. A column `split_order` numbers the rows so that those to be held out come
    first; without one they are drawn at random. Where `held_out` is None it is a fifth of them, at most
    400, and so few that 50 are left. Raises DiffusionNAGError for a file that is no such
    table, and for an architecture, class or accuracy that cannot be used.
    """
    cells = read_cells(path)
    class_column = next((name for name in CLASS_COLUMNS if name in cells), None)
    if class_column is None or not {"arch", "accuracy"} <= set(cells):
        raise DiffusionNAGError(
            f"{path}: triplets have columns arch, accuracy and classes; it has {listed(cells)}"
        )
    architectures = []
    for row, cell in enumerate(cells["arch"], start=1):
        try:
            architectures.append(space.parse(architecture_text(cell)))
        except DiffusionNAGError as error:
            raise DiffusionNAGError(f"{path}: row {row}: {error}") from error
    accuracies, _ = numbers_of(cells["accuracy"])
    if not np.isfinite(accuracies).all():
        row = int(np.flatnonzero(~np.isfinite(accuracies))[0]) + 1
        raise DiffusionNAGError(f"{path}: row {row} has no finite accuracy; leave it out")
    number = {name: place for place, name in enumerate(class_names)}
    classes = []
    for row, members in enumerate(cells[class_column], start=1):
        if not isinstance(members, list) or not members:
            raise DiffusionNAGError(f"{path}: row {row} has no list of {class_column}")
        unknown = [name for name in members if str(name) not in number]
        if unknown:
            raise DiffusionNAGError(
                f"{path}: row {row} names the class {unknown[0]!r}, of which there are no images"
            )
        classes.append(tuple(number[str(name)] for name in members))
    if held_out is None:
        spare = len(architectures) - FEWEST_TRIPLETS
        held_out = max(0, min(MOST_HELD_OUT, len(architectures) // 5, spare))
    if len(architectures) < held_out:
        raise DiffusionNAGError(
            f"{path}: {len(architectures)} triplets, of which {held_out} cannot be held out"
        )
    order = np.random.default_rng(0).permutation(len(architectures))
    if SPLIT_ORDER in cells:
        numbers, _ = numbers_of(cells[SPLIT_ORDER])
        if not np.array_equal(np.sort(numbers), np.sort(order)):
            raise DiffusionNAGError(
                f"{path}: {SPLIT_ORDER} should hold each number from 0 to {len(order) - 1} once"
            )
        order = numbers.astype(np.int64)
    return Triplets(architectures, accuracies, classes, order[:held_out])


def join_triplets(parts: Sequence[Triplets], first_classes: Sequence[int]) -> Triplets:
    """Return the triplets of several files as one.

    `first_classes` is, for each file, the number that the first class of its images has among the
    classes of all. Raises DiffusionNAGError where fewer than 50 are left to learn from.
    """
    starts = np.cumsum([0, *(len(part.architectures) for part in parts)])
    joined = Triplets(
        [architecture for part in parts for architecture in part.architectures],
        np.concatenate([part.accuracies for part in parts]),
        [
            tuple(first + label for label in labels)
            for part, first in zip(parts, first_classes, strict=True)
            for labels in part.classes
        ],
        np.concatenate([start + part.held_out for part, start in zip(parts, starts, strict=False)]),
    )
    if len(joined.seen) < FEWEST_TRIPLETS:
        raise DiffusionNAGError(
            f"{len(joined.accuracies)} triplets, of which {len(joined.held_out)} are held out; at "
            f"least {FEWEST_TRIPLETS} must be left to learn from"
        )
    return joined


def write_triplets(
    path: Path,
    space: SearchSpace,
    architectures: Sequence[Architecture],
    accuracies: Sequence[float],
    classes: Sequence[str],
) -> None:
    """Write what was measured on one data set, in %, as triplets: the result of a search, say.

    `classes` are the names of the data set's classes. Raises DiffusionNAGError for accuracies that
    are no percentages, EnvironmentFailureError where the file cannot be written.
    """
    lowest, highest = np.nanmin(accuracies), np.nanmax(accuracies)
    if lowest < 0 or highest > 100 or highest <= 1:
        raise DiffusionNAGError(
            f"values from {lowest:g} to {highest:g} are no accuracies in %, which triplets hold"
        )
    count = len(architectures)
    table = pa.table(
        {
            "arch": [space.format(architecture) for architecture in architectures],
            "accuracy": pa.array(accuracies, pa.float64()),
            "classes": pa.array([list(classes)] * count, pa.list_(pa.string())),
        }
    )
    with write_atomically(path) as temporary:
        pq.write_table(table, temporary)
