"""How well shared weights rank cells: Kendall's tau with the table, and the best cell by them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from diffusionnag._files import read_json, write_atomically
from diffusionnag.networks import TaskData
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import SearchSpace, get_search_space
from diffusionnag.supernets import evaluate_inherited, supernet_settings, train_supernet
from experiments.measured_data import (
    NASBENCH201_DATASETS,
    Truth,
    required_table,
)
from experiments.result_table import ResultTable
from experiments.supernets.small_cifar10 import SIZE, small_cifar10

KEPT = Path("runs") / "supernet-ranking"
"""The training and the evaluations, so that the experiment can be stopped and resumed."""
SEEDS = (0,)
RANKED = 500
IMAGES = 20_000
EPOCHS, BATCH, LEARNING_RATE = 40, 128, 0.1
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
    rows = []
    for seed in SEEDS:
        report(f"seed {seed}")
        measured = _measured(space, data, seed, report)
        cells = [space.parse(text) for text in measured["cells"]]
        inherited, true = np.array(measured["accuracies"]), truth.values(space, cells)
        predictor = PropertyPredictor(space, "accuracy").fit(cells, inherited)
        others = sorted(set(space.enumerate()) - set(cells), key=space.format)
        predicted, true_others = predictor.predict(others)[0], truth.values(space, others)
        good = true > GOOD
        rows.append(
            (
                str(seed),
                f"{kendalltau(inherited, true)[0]:.3f}",
                f"{kendalltau(inherited[good], true[good])[0]:.3f}",
                f"{true[inherited.argmax()]:.2f}",
                f"{kendalltau(predicted, true_others)[0]:.3f}",
                f"{true_others[predicted.argmax()]:.2f}",
                f"{measured['training_seconds'] / 60:.1f}",
                f"{measured['evaluation_seconds'] / 60:.1f}",
            )
        )
    return ResultTable(
        title="How shared weights rank NAS-Bench-201 cells on CIFAR-10",
        columns=(
            "seed",
            "Kendall's tau",
            f"tau above {GOOD:g} %",
            "its best cell (%)",
            "tau of a predictor",
            "its best cell (%) ",
            "training, CPU minutes",
            f"{RANKED} evaluations, CPU minutes",
        ),
        rows=tuple(rows),
        notes=(
            f"Accuracy with shared weights of {RANKED} random cells against the table's test accuracy "
            "after 200 epochs, and what the table has for the cell that they rank first.",
            f"The predictor is fitted on these {RANKED} evaluations, and judged on all other cells; no "
            "network was trained on its own.",
            f"Single-path training on {IMAGES:,} images, a tenth of them held out, at {SIZE}, "
            f"for {EPOCHS} epochs in batches of {BATCH}, "
            f"learning rate {LEARNING_RATE}.",
        ),
    )


def _measured(space: SearchSpace, data: TaskData, seed: int, report: Callable[[str], None]) -> dict:
    """Return cells, their accuracies with shared weights, and the CPU seconds that both took."""
    folder = KEPT / str(seed)
    path = folder / "measured.json"
    if path.exists():
        return read_json(path)
    folder.mkdir(parents=True, exist_ok=True)
    settings = supernet_settings(
        data.task, epochs=EPOCHS, batch_size=BATCH, learning_rate=LEARNING_RATE, seed=seed
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
    accuracies = [evaluate_inherited(supernet, cell, data)["accuracy"] for cell in cells]
    measured = {
        "cells": [space.format(cell) for cell in cells],
        "accuracies": accuracies,
        "training_seconds": trained - begun,
        "evaluation_seconds": time.process_time() - trained,
    }
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(measured))
    return measured
