"""The data of each kind of task: what a training takes batches, losses and metrics from."""

from diffusionnag.networks.tasks.corpus_data import CorpusData
from diffusionnag.networks.tasks.image_data import ImageData
from diffusionnag.networks.tasks.loading import load_data, metric_of
from diffusionnag.networks.tasks.node_data import NodeData
from diffusionnag.networks.tasks.own_fit import OwnFit
from diffusionnag.networks.tasks.supervised import SupervisedData
from diffusionnag.networks.tasks.task_data import TaskData

__all__ = [
    "CorpusData",
    "ImageData",
    "NodeData",
    "OwnFit",
    "SupervisedData",
    "TaskData",
    "load_data",
    "metric_of",
]
