"""What experiments compare with: installed data sets, measured tables and the truth they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from diffusionnag._seeds import numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables import DATA_FOLDER_VARIABLE, Table, known_tables
from diffusionnag.tables.data_folder import data_path

CIFAR10_TRAINING, CIFAR10_TEST = "cifar10_train.parquet", "cifar10_test.parquet"
CIFAR100_TRAINING = "cifar100_train_100perclass.parquet"
IMAGENET_SINGLES = "imagenet_one_per_class_64px.parquet"
IMAGENET_MORE = "imagenet_more_64px.parquet"
PETS = "oxford_pets_64px.parquet"

NASBENCH201_DATASETS = {
    "CIFAR-10": "cifar10_test_200ep",
    "CIFAR-100": "cifar100_test_200ep",
    "ImageNet16-120": "imagenet16_test_200ep",
}
"""The columns of test accuracy, by data set."""
BEST = 1_000
"""How many architectures the oracle names."""


def data_file(name: str) -> Path:
    """Return an installed image data set; raises DiffusionNAGError where it is not there."""
    path = data_path(name)
    if not path.is_file():
        raise DiffusionNAGError(f"no {name} in the folder named by {DATA_FOLDER_VARIABLE}")
    return path


def required_table(space_name: str, table_name: str) -> Table:
    """Return a measured table; raises DiffusionNAGError where it is not installed."""
    installed = known_tables(space_name)
    if table_name not in installed:
        raise DiffusionNAGError(
            f"the table {table_name} is not installed; see `diffusionnag tables {space_name}`"
        )
    return installed[table_name]()


def published_proxies(count: int) -> dict[str, list]:
    """Return training-free proxies that NAS-Bench-Suite-Zero published of cells, on CIFAR-10.

    By column, `arch` among them; the cells are drawn at random, always the same.
    """
    table = pd.read_parquet(data_file("nasbench201_zero_cost.parquet"))
    shuffled = table[table["dataset"] == "cifar10"].sample(frac=1, random_state=0)
    return {name: shuffled[name].tolist()[:count] for name in shuffled.columns}


@dataclass(frozen=True)
class Truth:
    """The true accuracies of one data set, and the two ends of the gap to be closed."""

    table: Table
    column: str
    random: float
    oracle: float

    @classmethod
    def of(cls, table: Table, column: str, best: int = BEST) -> Truth:
        """Return the truth of a column: the mean of all, and of so many of the best."""
        values = table.column(column)
        return cls(table, column, float(values.mean()), float(np.sort(values)[-best:].mean()))

    def best(self, count: int) -> np.ndarray:
        """Return the highest accuracies of all, `count`, in %."""
        return np.sort(self.table.column(self.column))[-count:]

    def values(self, space: SearchSpace, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the accuracy in % of each architecture, `batch`."""
        strings = [space.format(architecture) for architecture in architectures]
        return self.table.lookup(self.column, strings)

    def closed(self, values: np.ndarray) -> float:
        """Return how much of the gap between random and oracle a group closes, in %."""
        return float(100 * (values.mean() - self.random) / (self.oracle - self.random))


def labelled_predictor(
    space: SearchSpace, truth: Truth, count: int, seed: int, **options: Any
) -> PropertyPredictor:
    """Return a predictor, with its `options`, fitted on the accuracies of `count` cells drawn at random."""
    rows = numpy_generator(seed).permutation(len(truth.table.architectures))[:count]
    cells = [space.parse(truth.table.architectures[row]) for row in rows]
    values = truth.table.column(truth.column)[rows]
    return PropertyPredictor(space, truth.column, **options).fit(cells, values, seed=seed)
