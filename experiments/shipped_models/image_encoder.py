"""Training the image encoder that ships, and how well its codes tell classes apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from diffusionnag.artifacts.checkpoints import SHIPPED_FOLDER
from diffusionnag.artifacts.model_cards import About, machine, today
from diffusionnag.images import Pixels, read_images, read_pixels
from diffusionnag.transfer.encoder_training import train_image_encoder
from diffusionnag.transfer.image_encoder import KIND, SHIPPED, SIZE, ImageEncoder
from experiments.measured_data import CIFAR10_TEST, CIFAR10_TRAINING, IMAGENET_SINGLES, data_file
from experiments.result_table import ResultTable

FOLDER = SHIPPED_FOLDER / KIND / SHIPPED
STEPS = 1_000
MEASURE = "CIFAR-10 test images whose nearest class mean is their own, %"
BATCH = 500


def image_encoder(report: Callable[[str], None]) -> ResultTable:
    """Train the encoder if it is missing from the package; return how good its codes are.

    Raises DiffusionNAGError where a data set is not installed.
    """
    report("reading images")
    if not (FOLDER / "config.json").is_file():
        classes = read_pixels(read_images(data_file(CIFAR10_TRAINING)), SIZE)
        singles = read_pixels(read_images(data_file(IMAGENET_SINGLES)), 2 * SIZE)
        encoder = train_image_encoder(
            classes, singles, steps=STEPS, report=lambda done, of: report(f"step {done} of {of}")
        )
        tested = read_pixels(read_images(data_file(CIFAR10_TEST)), SIZE)
        encoder.about = About(
            command="python -m experiments image-encoder",
            data="CIFAR-10's training images; one image of each of 1,000 ImageNet classes",
            date=today(),
            machine=machine(),
            quality={MEASURE: _nearest_mean_accuracy(encoder, classes, tested)},
        )
        encoder.save(FOLDER)
    about = ImageEncoder.from_pretrained().about
    rows = tuple((name, f"{value:.2f}") for name, value in about.quality.items())
    return ResultTable("The shipped image encoder", ("measure", "value"), rows)


def _nearest_mean_accuracy(encoder: ImageEncoder, known: Pixels, tested: Pixels) -> float:
    few = np.random.default_rng(0).permutation(len(known.labels))[: len(tested.labels)]
    codes = _codes(encoder, known.values[few])
    labels = known.labels[few]
    spread = codes.std(0)
    means = np.stack([codes[labels == label].mean(0) for label in np.unique(labels)])
    away = _codes(encoder, tested.values)[:, None] - means
    nearest = np.square(away / spread).sum(-1).argmin(1)
    return float(100 * (nearest == tested.labels).mean())


def _codes(encoder: ImageEncoder, values: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        parts = torch.from_numpy(values).split(BATCH)
        return torch.cat([encoder(part.float() / 255) for part in parts]).numpy()
