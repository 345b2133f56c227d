"""Shared weights as objective: what a network reaches with those that it inherits."""

from __future__ import annotations

import functools
import re

from diffusionnag.search.objectives._measure import Measure
from diffusionnag.spaces import SearchSpace
from diffusionnag.supernets import TrainedSupernet


def split_supernet(text: str, space: SearchSpace) -> tuple[str, str]:
    """Return `FOLDER[,data=DATA]` and the metric of the task that the supernet is for."""
    return text, _opened(_folder(text), space).task.metric


def read_supernet(source: str, name: str, space: SearchSpace) -> Measure:
    """Return what measures the metrics on held-out data with inherited weights.

    The data are those that the supernet was trained on, or those behind `data=`. Raises
    DiffusionNAGError for a folder that holds no supernet of the space, and data that are not there.
    """
    supernet = _opened(_folder(source), space)
    data = supernet.read_data(data=source.partition(",data=")[2] or None)
    return lambda architecture: supernet.evaluate(architecture, data)


def _folder(text: str) -> str:
    return re.split(",data=", text)[0]


@functools.lru_cache(maxsize=1)
def _opened(folder: str, space: SearchSpace) -> TrainedSupernet:
    return TrainedSupernet.load(folder, space)
