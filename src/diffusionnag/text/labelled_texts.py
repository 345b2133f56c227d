"""Labelled texts: a column of texts and a column of labels in a CSV or Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.tabular import choose_column, class_numbers, read_columns

LABELS = ("label", "labels", "class", "target", "category", "sentiment", "y")
TEXTS = ("text", "sentence", "content", "review", "document", "title", "body")


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """N texts, the K names of their classes, and `labels` (N) int64, the number of each one's class."""

    name: str
    texts: list[str]
    classes: tuple[str, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def read_texts(path: str | Path, label: str | None = None) -> LabelledTexts:
    """Return the labelled texts of a CSV or Parquet file.

    `label` names the column of labels; if left out, it is one called `label`, `class`, `target` or
    the like. The texts are in a column called `text` or the like, else in the first other column of
    texts. Rows without a text or a label are left out. Raises DiffusionNAGError for a file that
    has neither.
    """
    columns = read_columns(Path(path))
    names = list(columns)
    labelled = choose_column(names, label, LABELS)
    if labelled is None:
        raise DiffusionNAGError(f"{path} has no column called label, class or target; name yours")
    written = [name for name in names if name != labelled and columns[name].dtype == object]
    of_texts = choose_column(written, None, TEXTS) or next(iter(written), None)
    if of_texts is None:
        raise DiffusionNAGError(f"{path} has no column of texts beside {labelled!r}")
    pairs = zip(columns[of_texts].tolist(), columns[labelled].tolist(), strict=True)
    known = np.array([bool(text) and value == value and value is not None for text, value in pairs])
    if not known.any():
        raise DiffusionNAGError(f"{path} has no row with both a text and a label")
    classes, labels = class_numbers(columns[labelled][known])
    return LabelledTexts(str(path), columns[of_texts][known].tolist(), classes, labels)
