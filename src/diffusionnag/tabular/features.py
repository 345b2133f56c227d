"""Columns as the numbers that a network takes: standardised, and categories one-hot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from diffusionnag.errors import DiffusionNAGError

MOST_CATEGORIES = 64
"""Of a column of texts; rarer ones are all zeros, as unknown ones are."""


@dataclass(frozen=True)
class FeatureEncoding:
    """How columns become features: `numbers` by mean and deviation, `categories` by their values.

    A missing number becomes the mean, 0; a category that is missing or unknown becomes zeros.
    """

    numbers: dict[str, tuple[float, ...]]
    categories: dict[str, tuple[str, ...]]

    @classmethod
    def fit(cls, columns: Mapping[str, np.ndarray], rows: np.ndarray) -> FeatureEncoding:
        """Return the encoding of columns, as learnt from some of their rows."""
        numbers: dict[str, tuple[float, ...]] = {}
        categories: dict[str, tuple[str, ...]] = {}
        for name, column in columns.items():
            seen = column[rows]
            if column.dtype == object:
                counts = Counter(value for value in seen.tolist() if value is not None)
                common = [value for value, _ in counts.most_common(MOST_CATEGORIES)]
                categories[name] = tuple(sorted(common))
                continue
            finite = seen[np.isfinite(seen)]
            mean, deviation = (finite.mean(), finite.std()) if finite.size else (0.0, 0.0)
            numbers[name] = (float(mean), float(deviation) if deviation > 0 else 1.0)
        return cls(numbers, categories)

    @property
    def width(self) -> int:
        """How many features there are."""
        return len(self.numbers) + sum(map(len, self.categories.values()))

    def apply(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the features of rows, `N x width` float32.

        Raises DiffusionNAGError for a column that is missing, or of another kind.
        """
        parts = []
        for name, (mean, deviation) in self.numbers.items():
            column = self._column(columns, name, of_texts=False)
            values = (column - mean) / deviation
            parts.append(np.where(np.isfinite(values), values, 0.0)[:, None])
        for name, known in self.categories.items():
            column = self._column(columns, name, of_texts=True)
            parts.append(column[:, None] == np.array(known, dtype=object)[None])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _column(
        self, columns: Mapping[str, np.ndarray], name: str, *, of_texts: bool
    ) -> np.ndarray:
        column = columns.get(name)
        if column is None or (column.dtype == object) != of_texts:
            what = "texts" if of_texts else "numbers"
            raise DiffusionNAGError(f"the column {name!r} is needed, with {what}")
        return column
