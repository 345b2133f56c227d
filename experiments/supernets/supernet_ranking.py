"""How well shared weights rank cells: Kendall's tau with the table, and the best cell by them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy.stats import kendalltau

from diffusionnag.networks import TaskData
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import SearchSpace, get_search_space
from diffusionnag.supernets import evaluate_inherited, supernet_settings, train_supernet
from diffusionnag.supernets.supernet import PART
from experiments.kept_results import Kept, empty_folder, kept, kept_folder
from experiments.measured_data import NASBENCH201_DATASETS, Truth, required_table
from experiments.result_table import ResultTable
from experiments.supernets.small_cifar10 import SIZE, small_cifar10

SEEDS = (0, 1, 2)
RANKED = 500
IMAGES = 20_000
EPOCHS, BATCH, LEARNING_RATE = 120, 512, 0.2
GOOD = 90.0
"""Accuracy in % above which cells are ranked apart: the others hardly work."""


def supernet_ranking(report: Callable[[str], None]) -> ResultTable:
    """Return the rank correlation of shared weights with the table, over random cells.

    Raises DiffusionNAGError where CIFAR-10 or the table of true accuracies is not installed.
    """
    space = get_search_space("nasbench201")
    column = NASBENCH201_DATASETS["CIFAR-10"]
    truth = Truth.of(required_table("nasbench201", "nasbench201_accuracy"), column)
    data = small_cifar10(space, IMAGES)
    columns = []
    for seed in SEEDS:
        report(f"seed {seed}")
        columns.append(_figures(space, truth, measured(space, data, seed, report)))
    return ResultTable(
        title="How shared weights rank NAS-Bench-201 cells on CIFAR-10",
        columns=("", *(f"seed {seed}" for seed in SEEDS)),
        rows=tuple((name, *(column[name] for column in columns)) for name in columns[0]),
        notes=(
            f"Held-out cross-entropy with shared weights of {RANKED} random cells, unless accuracy is "
            "named, against the table's test accuracy after 200 epochs. No network was trained on its own.",
            f"Trained on {IMAGES:,} images, a tenth of them held out, at {SIZE}, for {EPOCHS} epochs in "
            f"batches of {BATCH}, each shared by {BATCH // PART} random networks, learning rate "
            f"{LEARNING_RATE:g}. These settings were chosen on other random cells of the table, with seed 0.",
        ),
    )


def _figures(space: SearchSpace, truth: Truth, told: Kept) -> dict[str, str]:
    """Return what is reported of one seed, by what it is called."""
    cells = [space.parse(text) for text in told["cells"]]
    shared, true = goodness(told), truth.values(space, cells)
    accuracies = np.array(told["accuracy"])
    good = true > GOOD
    predictor = PropertyPredictor(space, "goodness").fit(cells, shared)
    others = sorted(set(space.enumerate()) - set(cells), key=space.format)
    predicted, true_others = predictor.normal_score(others), truth.values(space, others)

    def tau(one_order: np.ndarray, other: np.ndarray) -> str:
        return f"{kendalltau(one_order, other)[0]:.3f}"

    def both(operation: str) -> str:
        counts = np.array([space.operation_names(cell).count(operation) for cell in cells])
        return f"{tau(counts, shared)} / {tau(counts, true)}"

    return {
        f"Kendall's tau, {RANKED} cells": tau(shared, true),
        "the same by accuracy": tau(accuracies, true),
        f"Kendall's tau, those above {GOOD:g} %": tau(shared[good], true[good]),
        "the same by accuracy, above as well": tau(accuracies[good], true[good]),
        "table accuracy of the cell ranked first (%)": f"{true[shared.argmax()]:.2f}",
        "a predictor fitted on these, all other cells: Kendall's tau": tau(predicted, true_others),
        "table accuracy of the cell that it ranks first (%)": f"{true_others[predicted.argmax()]:.2f}",
        "accuracy with shared weights, quartiles (%)": " / ".join(
            f"{value:.1f}" for value in np.percentile(accuracies, (25, 50, 75))
        ),
        "tau of the number of skip connections with shared weights / the table": both(
            "skip_connect"
        ),
        "the same of 3x3 convolutions": both("nor_conv_3x3"),
        "training, CPU minutes": f"{told['training_seconds'] / 60:.1f}",
        f"{RANKED} evaluations, CPU minutes": f"{told['evaluation_seconds'] / 60:.1f}",
    }


def goodness(told: Kept) -> np.ndarray:
    """Return by what cells are ranked, more being better: their cross-entropy with the opposite sign."""
    return -np.array(told["cross_entropy"])


def measured(space: SearchSpace, data: TaskData, seed: int, report: Callable[[str], None]) -> Kept:
    """Return cells, their metrics with shared weights, and the CPU seconds that both took.

    They are computed, or were in an earlier run of this commit. A training that was interrupted
    begins anew, so that its seconds are those of all its steps.
    """
    folder = kept_folder("supernet-ranking") / str(seed)

    def measure() -> Kept:
        empty_folder(folder)
        settings = supernet_settings(
            space,
            data.task,
            epochs=EPOCHS,
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            seed=seed,
        )
        begun = time.process_time()
        supernet, _ = train_supernet(
            space,
            data,
            settings,
            folder,
            report=lambda progress: report(f"step {progress.step} of {progress.steps}"),
        )
        trained = time.process_time()
        cells = space.sample(RANKED, seed=1_000 + seed)
        metrics = [evaluate_inherited(supernet, cell, data) for cell in cells]
        return {
            "cells": [space.format(cell) for cell in cells],
            **{name: [each[name] for each in metrics] for name in ("accuracy", "cross_entropy")},
            "training_seconds": trained - begun,
            "evaluation_seconds": time.process_time() - trained,
        }

    return kept(folder / "measured.json", measure)
