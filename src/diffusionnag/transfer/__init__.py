"""Transfer to new data sets and tasks: by images (paper, section 2.3), or by tables of other tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffusionnag._callable_module import make_callable
from diffusionnag._lazy_names import lazy_names

if TYPE_CHECKING:
    from diffusionnag.transfer.dataset_encoding import DatasetEncoding, encode_dataset
    from diffusionnag.transfer.image_encoder import ImageEncoder, load_image_encoder
    from diffusionnag.transfer.known_datasets import MeanOverDatasets, mean_over_datasets
    from diffusionnag.transfer.meta_training import meta_train, predict_triplets
    from diffusionnag.transfer.predictor import DatasetAwarePredictor, TransferredPredictor
    from diffusionnag.transfer.tasks import TaskTransfer
    from diffusionnag.transfer.tasks_from_tables import LearntTasks, learn_tasks
    from diffusionnag.transfer.triplets import Triplets, read_triplets, write_triplets

__all__ = [
    "DatasetAwarePredictor",
    "DatasetEncoding",
    "ImageEncoder",
    "LearntTasks",
    "MeanOverDatasets",
    "TaskTransfer",
    "TransferredPredictor",
    "Triplets",
    "encode_dataset",
    "learn_tasks",
    "load_image_encoder",
    "mean_over_datasets",
    "meta_train",
    "predict_triplets",
    "read_triplets",
    "write_triplets",
]

_HOMES = {
    "dataset_encoding": (
        "DatasetEncoding",
        "encode_dataset",
    ),
    "image_encoder": (
        "ImageEncoder",
        "load_image_encoder",
    ),
    "known_datasets": (
        "MeanOverDatasets",
        "mean_over_datasets",
    ),
    "meta_training": (
        "meta_train",
        "predict_triplets",
    ),
    "predictor": (
        "DatasetAwarePredictor",
        "TransferredPredictor",
    ),
    "tasks": ("TaskTransfer",),
    "tasks_from_tables": (
        "LearntTasks",
        "learn_tasks",
    ),
    "triplets": (
        "Triplets",
        "read_triplets",
        "write_triplets",
    ),
}
__getattr__ = lazy_names(__name__, _HOMES)
make_callable(__name__, "diffusionnag.generation:transfer")
