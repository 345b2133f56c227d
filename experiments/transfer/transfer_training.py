"""From images alone to trained networks: transferred cells against random ones, trained alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

from diffusionnag import transfer
from diffusionnag._files import prepare_folder, write_atomically
from diffusionnag.networks import (
    Group,
    TrainingSettings,
    accuracy_intervals,
    load_data,
    train_groups,
    welch_p_value,
)
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.tables import Table
from experiments.measured_data import (
    CIFAR10_TEST,
    CIFAR10_TRAINING,
    PETS,
    data_file,
    required_table,
)
from experiments.result_table import ResultTable

KEPT = Path("runs") / "transfer-training"
"""The trainings, so that the experiment can be stopped and go on."""
SPACE = "nasbench201"
TOP = 5
CELLS = 1
"""Of a stage, where the benchmark has five."""


@dataclass(frozen=True)
class Dataset:
    """Images to transfer to, and how the cells are trained on them, as two CPU cores can bear."""

    name: str
    training: Callable[[], Path]
    test: Callable[[], Path]
    subset: int | None
    resolution: int
    settings: TrainingSettings
    seeds: int
    column: str | None = None
    """Of the benchmark's accuracies, where it has any."""


def transfer_training(report: Callable[[str], None]) -> ResultTable:
    """Return the accuracies of the first cells transferred to two data sets, and of random ones.

    Raises DiffusionNAGError where the images or the table of true accuracies are not installed.
    """
    space = get_search_space(SPACE)
    truth = required_table(SPACE, "nasbench201_accuracy")
    rows, notes = [], []
    for dataset in DATASETS:
        report(f"looking at {dataset.name}")
        transferred = transfer(SPACE, str(dataset.training()), TOP).generated.architectures
        groups = (
            Group("transferred", tuple(transferred)),
            Group("random", tuple(space.sample(TOP, 0))),
        )
        data = load_data(
            dataset.training(),
            space,
            test=dataset.test(),
            resolution=dataset.resolution,
            cells=CELLS,
            subset=dataset.subset,
        )
        accuracies = train_groups(
            space,
            groups,
            data,
            dataset.settings,
            dataset.seeds,
            KEPT / dataset.name,
            report=partial(_report_trainings, report, dataset.name),
        )
        for group, accuracy in zip(groups, accuracies, strict=True):
            best, mean, worst = accuracy_intervals(accuracy)
            cells = _published(truth, dataset.column, space, group.architectures)
            rows.append((dataset.name, group.name, str(best), str(mean), str(worst), cells))
        settings = dataset.settings
        notes.append(
            f"{dataset.name}: trained on {data.summary} at {dataset.resolution} x {dataset.resolution} "
            f"pixels for {settings.epochs} epochs (batch {settings.batch_size}, learning rate "
            f"{settings.learning_rate:g}), seeds: {dataset.seeds}; accuracy on "
            f"{data.held_out_summary}. Welch's t-test over cells that both groups have the same mean: "
            f"p = {welch_p_value(*accuracies):.2g}."
        )
    return ResultTable(
        title=f"The {TOP} first cells transferred to a data set and {TOP} random ones, trained alike",
        columns=("data set", "cells", "max, %", "mean, %", "min, %", "of NAS-Bench-201, mean, %"),
        rows=tuple(rows),
        notes=(
            "Transferred: what `transfer` hands out for the training images, by images and proxies, "
            f"with nothing trained on them. Networks have {CELLS} cell a stage.",
            *notes,
        ),
    )


def _pets(split: str) -> Path:
    """Return a file of one of the two halves that the table of pets has."""
    path = KEPT / f"pets-{split}.parquet"
    if not path.exists():
        table = parquet.read_table(data_file(PETS), filters=[("split", "=", split)])
        prepare_folder(path.parent)
        with write_atomically(path) as temporary:
            parquet.write_table(table, temporary)
    return path


def _report_trainings(report: Callable[[str], None], name: str, done: float, total: int) -> None:
    report(f"{name}: {done:.2f} of {total} trainings")


def _published(
    truth: Table, column: str | None, space: SearchSpace, cells: tuple[Architecture, ...]
) -> str:
    """Return the mean of the benchmark's accuracies of whole networks, in %."""
    if column is None:
        return "-"
    return f"{np.mean(truth.lookup(column, [space.format(cell) for cell in cells])):.2f}"


DATASETS = (
    Dataset(
        "CIFAR-10",
        partial(data_file, CIFAR10_TRAINING),
        partial(data_file, CIFAR10_TEST),
        3_000,
        16,
        TrainingSettings(epochs=12, batch_size=64, learning_rate=0.05),
        3,
        "cifar10_test_200ep",
    ),
    Dataset(
        "Oxford-IIIT Pets",
        partial(_pets, "dev"),
        partial(_pets, "test"),
        None,
        32,
        TrainingSettings(epochs=60, batch_size=32, learning_rate=0.05),
        3,
    ),
)
