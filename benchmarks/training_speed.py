"""Training against a plain PyTorch loop, measured in pairs; writes results/training-speed.md."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from diffusionnag import get_search_space
from diffusionnag.images import Pixels
from diffusionnag.networks import (
    Augmentation,
    ImageData,
    TrainingSettings,
    build_network,
    train_network,
)
from diffusionnag.networks.augmentation import augment
from diffusionnag.networks.tasks.image_data import normalisation
from experiments.result_table import ResultTable, write_benchmark

PAIRS = 5
IMAGES, TESTED = 512, 16
CELLS = {
    "a small cell": "|nor_conv_1x1~0|+|none~0|skip_connect~1|+"
    "|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|",
    "a middling cell": "|nor_conv_3x3~0|+|none~0|skip_connect~1|+"
    "|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|",
}
SETTINGS = TrainingSettings(epochs=1, batch_size=64)


def random_images(count: int) -> Pixels:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    return Pixels(values, rng.integers(0, 10, count))


def plain_loop(network: torch.nn.Module, training: Pixels) -> None:
    """Train for an epoch as one would write it down: the same crops, flips and optimiser."""
    values, labels = torch.from_numpy(training.values), torch.from_numpy(training.labels)
    mean, std = (torch.tensor(one)[:, None, None] for one in normalisation(training))
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=SETTINGS.learning_rate,
        momentum=SETTINGS.momentum,
        weight_decay=SETTINGS.weight_decay,
        nesterov=True,
    )
    network.train()
    for chosen in torch.randperm(len(labels)).split(SETTINGS.batch_size):
        images = (augment(values[chosen] / 255, Augmentation()) - mean) / std
        loss = F.cross_entropy(network(images), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def seconds(function: Callable[[], object]) -> float:
    """Return what a call takes in seconds of the CPU, which other work does not lengthen."""
    started = time.process_time()
    function()
    return time.process_time() - started


def time_cell(label: str, text: str) -> tuple[str, ...]:
    """Return the row of a cell: images a second of both, and the median of the pairs' ratios."""
    space = get_search_space("nasbench201")
    training, held_out = random_images(IMAGES), random_images(TESTED)
    classes = tuple(map(str, range(10)))
    data = ImageData.of_pixels(classes, training, held_out, 32)
    network = build_network(space, space.parse(text))

    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            train_network(network, data, SETTINGS, Path(folder), identity={})

    pairs = []
    for pair in range(PAIRS + 1):
        # Who goes first changes from pair to pair.
        plain_first = pair % 2 == 0
        first = seconds(lambda: plain_loop(network, training)) if plain_first else 0.0
        own = seconds(ours)
        plain = first if plain_first else seconds(lambda: plain_loop(network, training))
        if pair > 0:  # the first pair warms up
            pairs.append((own, plain))
    own, plain = (statistics.median(one) for one in zip(*pairs, strict=True))
    ratios = [plain / own for own, plain in pairs]
    spread = statistics.quantiles(ratios, n=4)
    return (
        label,
        f"{IMAGES / own:.0f}",
        f"{IMAGES / plain:.0f}",
        f"{100 * spread[1]:.1f} ({100 * spread[0]:.1f} to {100 * spread[2]:.1f})",
    )


def main() -> None:
    """Measure everything, by one thread, and write the table."""
    torch.set_num_threads(1)
    table = ResultTable(
        title="Throughput of training against a plain PyTorch loop",
        columns=("network", "`train`, images/s", "plain loop, images/s", "share, %"),
        rows=tuple(time_cell(label, text) for label, text in CELLS.items()),
        notes=(
            f"{PAIRS} pairs of epochs of {IMAGES:,} images at 32 x 32 pixels, batch "
            f"{SETTINGS.batch_size}, on the same module, in turn, by one thread, in seconds of the CPU; "
            "medians, and of the pairs' ratios the middle half.",
            "Both crop, flip and standardise; what `train` adds is the evaluation on "
            f"{TESTED} images, its state on the disk, `history.csv` and TensorBoard, once an epoch.",
        ),
    )
    write_benchmark(table, "training-speed")


if __name__ == "__main__":
    main()
