"""Table 2 of the paper, one-shot rows: the cells that searches with shared weights find."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from diffusionnag.networks import TaskData
from diffusionnag.spaces import SearchSpace, get_search_space
from diffusionnag.supernets import ALGORITHMS, search_cell, supernet_settings
from experiments.kept_results import Kept, empty_folder, kept, kept_folder
from experiments.measured_data import (
    NASBENCH201_DATASETS,
    Truth,
    required_table,
)
from experiments.result_table import ResultTable
from experiments.statistics import mean_and_std
from experiments.supernets.small_cifar10 import SIZE, small_cifar10

SEEDS = (0, 1, 2)
IMAGES = 5_000
EPOCHS, BATCH = 25, 64
"""All of it so small that one CPU core needs about an hour."""
PUBLISHED = {
    "rsps": "84.07 ± 3.61",
    "setn": "87.64 ± 0.00",
    "gdas": "93.61 ± 0.09",
    "pc-darts": "93.66 ± 0.17",
    "drnas": "94.36 ± 0.00",
}
"""Test accuracy on CIFAR-10 in the paper's Table 2, in %."""


@dataclass(frozen=True)
class Found:
    """A cell as its string, and the CPU seconds that finding it took."""

    cell: str
    seconds: float


def one_shot(report: Callable[[str], None]) -> ResultTable:
    """Return the table accuracies of the cells that each algorithm finds on CIFAR-10.

    Raises DiffusionNAGError where CIFAR-10 or the table of true accuracies is not installed.
    """
    space = get_search_space("nasbench201")
    column = NASBENCH201_DATASETS["CIFAR-10"]
    truth = Truth.of(required_table("nasbench201", "nasbench201_accuracy"), column)
    data = small_cifar10(space, IMAGES)
    rows = []
    for algorithm in ALGORITHMS:
        runs = []
        for seed in SEEDS:
            report(f"{algorithm}, seed {seed}")
            runs.append(_found(space, data, algorithm, seed))
        cells = [space.parse(run.cell) for run in runs]
        accuracies = truth.values(space, cells)
        skips = [space.operation_names(cell).count("skip_connect") for cell in cells]
        rows.append(
            (
                algorithm,
                mean_and_std(accuracies.tolist()),
                " / ".join(f"{value:.2f}" for value in accuracies),
                " / ".join(map(str, skips)),
                f"{np.mean([run.seconds for run in runs]) / 60:.1f}",
                PUBLISHED.get(algorithm, "-"),
            )
        )
    return ResultTable(
        title="Cells that one-shot searches find on CIFAR-10 (paper, Table 2)",
        columns=(
            "algorithm",
            "table accuracy (%)",
            "by seed",
            "skip connections",
            "CPU minutes",
            "paper (%)",
        ),
        rows=tuple(rows),
        notes=(
            "Test accuracy after 200 epochs that NAS-Bench-201's table has for the found cell, mean and "
            f"standard deviation of {len(SEEDS)} seeds; a random cell has {truth.random:.2f} on average.",
            f"Searched on {IMAGES:,} images, a tenth of them held out, at {SIZE}, "
            f"for {EPOCHS} epochs in batches of {BATCH}: "
            "far less than the 25,000 images of 32 pixels, 16 channels, 5 cells and 50 to 250 epochs of "
            "the published searches, so that the figures are no measure of the algorithms.",
            "darts is of the first order; drnas is without progressive shrinking; the paper has no row of "
            "darts (54.30 in Dong & Yang, 2020, where it collapses to skip connections).",
        ),
    )


def _found(space: SearchSpace, data: TaskData, algorithm: str, seed: int) -> Found:
    """Return what a search finds, or found in an earlier run of this commit.

    One that was interrupted begins anew, so that its seconds are those of all its steps.
    """
    folder = kept_folder("one-shot") / f"{algorithm}-{seed}"

    def find() -> Kept:
        empty_folder(folder)
        settings = supernet_settings(
            space, data.task, searches=True, epochs=EPOCHS, batch_size=BATCH, seed=seed
        )
        started = time.process_time()
        search = search_cell(space, data, algorithm, settings, folder)
        return asdict(Found(space.format(search.cell), time.process_time() - started))

    return Found(**kept(folder / "found.json", find))
