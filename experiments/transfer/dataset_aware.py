"""What knowing the data set is worth: held-out triplets predicted with and without its images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffusionnag.images import read_images
from diffusionnag.predictors import spearman
from diffusionnag.transfer.dataset_encoding import encode_dataset
from diffusionnag.transfer.meta_training import predict_triplets
from diffusionnag.transfer.predictor import DatasetAwarePredictor, TransferredPredictor
from diffusionnag.transfer.triplets import read_triplets
from experiments.measured_data import IMAGENET_SINGLES, data_file
from experiments.result_table import ResultTable

SPACE = "nasbench201"
TRIPLETS = "nasbench201_meta_tasks.parquet"
HELD_OUT = 400


def dataset_aware(report: Callable[[str], None]) -> ResultTable:
    """Return rank correlation and squared error on the held-out triplets of the meta-data set.

    Raises DiffusionNAGError where the triplets or the images are not installed.
    """
    predictor = DatasetAwarePredictor.from_pretrained(SPACE)
    space, images = predictor.search_space, read_images(data_file(IMAGENET_SINGLES))
    triplets = read_triplets(data_file(TRIPLETS), space, images.classes, HELD_OUT)
    report("with the images")
    encoding = encode_dataset(images, predictor.image_encoder, most_classes=None)
    aware = predict_triplets(predictor, triplets, triplets.held_out, encoding)
    report("without")
    blind = TransferredPredictor(predictor.architectures, predictor.target, 0.0, predictor.scale)
    alone, _ = blind.predict([triplets.architectures[row] for row in triplets.held_out])
    true = triplets.accuracies[triplets.held_out]
    groups = {"architecture and data set": aware, "architecture alone": alone}
    return ResultTable(
        title=f"Accuracy on {HELD_OUT} held-out triplets of the NAS-Bench-201 meta-data set",
        columns=("known", "Spearman", "mean squared error"),
        rows=tuple(
            (name, f"{spearman(mean, true):.3f}", f"{np.square(mean - true).mean():.2f}")
            for name, mean in groups.items()
        ),
        notes=(
            "The shipped predictor, and the same told that each data set is the average one of the "
            f"{len(triplets.seen):,} triplets that it learnt from.",
            "How long to train the set encoder, and with how much noise on the images' codes, was "
            "chosen by these held-out triplets, so the first row is somewhat optimistic.",
        ),
    )
