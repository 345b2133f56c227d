"""DARTS collapses: the longer it searches, the more skip connections its cell has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffusionnag._files import read_json
from diffusionnag.networks import TaskData
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.supernets import search_cell, supernet_settings
from experiments.kept_results import keep, kept_folder
from experiments.measured_data import NASBENCH201_DATASETS, Truth, required_table
from experiments.result_table import ResultTable
from experiments.statistics import mean_and_std
from experiments.supernets.small_cifar10 import RESOLUTION, WIDTH, small_cifar10

SEEDS = (0, 1, 2)
IMAGES, CELLS = 2_500, 2
EPOCHS, BATCH = 60, 32
SHOWN = (5, 10, 20, 30, 40, 50, 60)
SKIP, LEARNT = "skip_connect", ("nor_conv_1x1", "nor_conv_3x3")


def darts_collapse(report: Callable[[str], None]) -> ResultTable:
    """Return how the cell of the highest scores changes while DARTS searches.

    Raises DiffusionNAGError where CIFAR-10 or the table of true accuracies is not installed.
    """
    space = get_search_space("nasbench201")
    truth = Truth.of(
        required_table("nasbench201", "nasbench201_accuracy"), NASBENCH201_DATASETS["CIFAR-10"]
    )
    data = small_cifar10(space, IMAGES, CELLS)
    searches = [_cells(space, data, seed, report) for seed in SEEDS]
    rows = []
    for epoch in SHOWN:
        cells = [space.parse(search[str(epoch)]) for search in searches if str(epoch) in search]
        accuracies = truth.values(space, cells)
        rows.append(
            (
                str(epoch),
                mean_and_std(accuracies.tolist()),
                " / ".join(f"{value:.2f}" for value in accuracies),
                _counted(space, cells, (SKIP,)),
                _counted(space, cells, LEARNT),
            )
        )
    return ResultTable(
        title="What DARTS finds on CIFAR-10 the longer it searches",
        columns=("epochs", "table accuracy (%)", "by seed", "skip connections", "convolutions"),
        rows=tuple(rows),
        notes=(
            "The cell of the highest scores after so many epochs of one search, by its test accuracy "
            f"after 200 epochs in NAS-Bench-201's table; a random cell has {truth.random:.2f} on average. "
            "Numbers of operations by seed, of six edges.",
            f"DARTS of the first order on {IMAGES:,} images, a tenth of them held out, at {RESOLUTION} "
            f"pixels, {round(16 * WIDTH)} channels and {CELLS} cells a stage, in batches of {BATCH}; else "
            "as published. At full size it ends with skip connections alone, of 54.30 % (Dong & Yang, "
            '"NAS-Bench-201", ICLR 2020).',
        ),
    )


def _counted(space: SearchSpace, cells: list[Architecture], operations: tuple[str, ...]) -> str:
    """Return how many of the operations each cell has."""
    names = [space.operation_names(cell) for cell in cells]
    return " / ".join(str(np.isin(each, operations).sum()) for each in names)


def _cells(
    space: SearchSpace, data: TaskData, seed: int, report: Callable[[str], None]
) -> dict[str, str]:
    """Return the cell so far by the number of epochs, of a search that is resumed if it was stopped."""
    folder = kept_folder("darts-collapse") / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cells.json"
    cells: dict[str, str] = read_json(path) if path.exists() else {}

    def add(epoch: int, cell: Architecture) -> None:
        report(f"seed {seed}, epoch {epoch} of {EPOCHS}")
        cells[str(epoch)] = space.format(cell)
        keep(path, cells)

    if str(EPOCHS) not in cells:
        settings = supernet_settings(
            space, data.task, searches=True, epochs=EPOCHS, batch_size=BATCH, seed=seed
        )
        search_cell(space, data, "darts", settings, folder, so_far=add)
    return cells
