"""What the shipped dataset-aware predictor expects on CIFAR-10, of which it sees images alone."""

from __future__ import annotations

from diffusionnag.images import read_images
from diffusionnag.transfer.dataset_encoding import DatasetEncoding, encode_dataset
from diffusionnag.transfer.predictor import DatasetAwarePredictor, TransferredPredictor
from experiments.measured_data import CIFAR10_TRAINING, data_file

SPACE = "nasbench201"


def transfer_to_cifar10() -> tuple[TransferredPredictor, DatasetEncoding]:
    """Return the accuracy on CIFAR-10 as a property of cells, and what the predictor looked at.

    Raises DiffusionNAGError where CIFAR-10's images are not installed.
    """
    aware = DatasetAwarePredictor.from_pretrained(SPACE)
    encoding = encode_dataset(read_images(data_file(CIFAR10_TRAINING)), aware.image_encoder)
    return aware.for_dataset(encoding), encoding
