"""Shared weights as objective: what a network reaches with those that it inherits."""

from __future__ import annotations

import functools
import re

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.search.objectives._measure import Measure
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.supernets import TrainedSupernet


def split_supernet(text: str, space: SearchSpace) -> tuple[str, str]:
    """Return `FOLDER[,metric=NAME][,data=DATA]`, and the metric: the task's unless one is named."""
    folder, options = _parts(text)
    return text, options.get("metric") or _opened(folder, space).task.metric


def read_supernet(source: str, name: str, space: SearchSpace) -> Measure:
    """Return what measures the metrics on held-out data with inherited weights.

    The data are those that the supernet was trained on, or those behind `data=`. Raises
    DiffusionNAGError for a folder that holds no supernet of the space, and data that are not there;
    what is returned does for a metric that is none of the task.
    """
    folder, options = _parts(source)
    supernet = _opened(folder, space)
    data = supernet.read_data(data=options.get("data"))

    def measure(architecture: Architecture) -> dict[str, float]:
        metrics = supernet.evaluate(architecture, data)
        if name not in metrics:
            raise DiffusionNAGError(f"no metric {name!r} of {source}; it has {', '.join(metrics)}")
        return metrics

    return measure


def _parts(text: str) -> tuple[str, dict[str, str]]:
    """Return the folder and the options of `FOLDER[,metric=NAME][,data=DATA]`."""
    folder, *pairs = re.split(",(?=(?:metric|data)=)", text)
    return folder, dict(pair.split("=", 1) for pair in pairs)


@functools.lru_cache(maxsize=1)
def _opened(folder: str, space: SearchSpace) -> TrainedSupernet:
    return TrainedSupernet.load(folder, space)
