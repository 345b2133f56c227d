"""From images alone to trained networks: transferred cells against random ones, trained alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from diffusionnag.generation.generator import Generator
from diffusionnag.guidance import maximize
from diffusionnag.networks import (
    Group,
    TrainingSettings,
    accuracy_intervals,
    load_data,
    train_groups,
    welch_p_value,
)
from diffusionnag.spaces import Architecture
from experiments.measured_data import CIFAR10_TEST, CIFAR10_TRAINING, data_file, required_table
from experiments.result_table import ResultTable
from experiments.transfer.known_by_images import transfer_to

KEPT = Path("runs") / "transfer-training"
"""The trainings, so that the experiment can be stopped and go on."""
GENERATED = 256
TOP = 5
IMAGES = 3_000
RESOLUTION = 16
SETTINGS = TrainingSettings(epochs=6, batch_size=64, learning_rate=0.05)
SEEDS = 1
"""All of it so small that two CPU cores need less than half an hour."""


def transfer_training(report: Callable[[str], None]) -> ResultTable:
    """Return the accuracies of the best cells transferred to CIFAR-10 and of random ones.

    Raises DiffusionNAGError where CIFAR-10 or the table of true accuracies is not installed.
    """
    generator = Generator.from_pretrained("nasbench201")
    space = generator.search_space
    truth = required_table("nasbench201", "nasbench201_accuracy")
    report("looking at CIFAR-10")
    accuracy, encoding = transfer_to("CIFAR-10")
    cells = generator.sample(GENERATED, guide=maximize(accuracy), distinct=True).architectures
    order = np.argsort(-accuracy.predict(cells)[0], kind="stable")
    groups = (
        Group("transferred", tuple(cells[row] for row in order[:TOP])),
        Group("random", tuple(space.sample(TOP, 0))),
    )
    data = load_data(
        data_file(CIFAR10_TRAINING),
        space,
        test=data_file(CIFAR10_TEST),
        resolution=RESOLUTION,
        subset=IMAGES,
    )
    accuracies = train_groups(
        space,
        groups,
        data,
        SETTINGS,
        SEEDS,
        KEPT,
        report=lambda done, total: report(f"{done:.2f} of {total} trainings"),
    )

    def published(architectures: tuple[Architecture, ...]) -> str:
        strings = [space.format(cell) for cell in architectures]
        return f"{truth.lookup('cifar10_test_200ep', strings).mean():.2f}"

    rows = tuple(
        (group.name, *map(str, accuracy_intervals(accuracy)), published(group.architectures))
        for group, accuracy in zip(groups, accuracies, strict=True)
    )
    return ResultTable(
        title=f"The {TOP} best cells transferred to CIFAR-10 and {TOP} random ones, trained alike",
        columns=("cells", "max, %", "mean, %", "min, %", "mean of NAS-Bench-201, 200 epochs, %"),
        rows=rows,
        notes=(
            f"Transferred: the best as predicted of {GENERATED} that were generated for CIFAR-10, "
            f"known by {int(encoding.present.sum())} of its images, with nothing trained on it.",
            f"Trained on {data.summary} at {RESOLUTION} x {RESOLUTION} "
            f"pixels for {SETTINGS.epochs} epochs (batch {SETTINGS.batch_size}, learning rate "
            f"{SETTINGS.learning_rate:g}), {SEEDS} seed; accuracy on "
            f"{data.held_out_summary}.",
            "Welch's t-test over cells that both groups have the same mean: "
            f"p = {welch_p_value(*accuracies):.2g}.",
        ),
    )
