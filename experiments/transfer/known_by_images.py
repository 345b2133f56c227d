"""The data sets of NAS-Bench-201 by their own images, and what the shipped predictor expects of them."""

from __future__ import annotations

import functools

import numpy as np

from diffusionnag.images import ImageSet, merge_image_sets, read_images
from diffusionnag.transfer.dataset_encoding import DatasetEncoding, encode_dataset
from diffusionnag.transfer.predictor import DatasetAwarePredictor, TransferredPredictor
from experiments.measured_data import (
    CIFAR10_TRAINING,
    CIFAR100_TRAINING,
    IMAGENET_MORE,
    IMAGENET_SINGLES,
    data_file,
)

SPACE = "nasbench201"
IMAGENET16_CLASSES = 120
"""ImageNet16-120 has the classes numbered 1 to 120 of the downsampled ImageNet, which keeps the
numbers of ILSVRC2012 (Chrabaszcz et al. 2017; Dong & Yang 2020, whose loader keeps labels up to 120)."""


def imagenet_images() -> ImageSet:
    """Return all ImageNet images at hand, one of each class and more of some, classes by their number."""
    return merge_image_sets(
        [read_images(data_file(name)) for name in (IMAGENET_SINGLES, IMAGENET_MORE)]
    )


def images_of(dataset: str) -> ImageSet:
    """Return the images of a data set of the benchmark, of ImageNet16-120 those at hand.

    Raises DiffusionNAGError where they are not installed.
    """
    if dataset == "ImageNet16-120":
        return _first_classes(imagenet_images(), IMAGENET16_CLASSES)
    files = {"CIFAR-10": CIFAR10_TRAINING, "CIFAR-100": CIFAR100_TRAINING}
    return read_images(data_file(files[dataset]))


@functools.cache
def transfer_to(dataset: str) -> tuple[TransferredPredictor, DatasetEncoding]:
    """Return the accuracy on a data set as a property of cells, and what the predictor looked at.

    Raises DiffusionNAGError where the images are not installed.
    """
    aware = DatasetAwarePredictor.from_pretrained(SPACE)
    encoding = encode_dataset(images_of(dataset), aware.image_encoder)
    return aware.for_dataset(encoding), encoding


def _first_classes(images: ImageSet, count: int) -> ImageSet:
    """Return the images of the classes numbered 1 to `count`."""
    kept = [str(number) for number in range(1, count + 1)]
    number = {name: place for place, name in enumerate(kept)}
    numbers = np.array([number.get(name, count) for name in images.classes])[images.labels]
    rows = np.flatnonzero(numbers < count)
    return ImageSet(
        f"the first {count} classes of ImageNet",
        tuple(kept),
        numbers[rows],
        lambda index: images.encoded(int(rows[index])),
    )
