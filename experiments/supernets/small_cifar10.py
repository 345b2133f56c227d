"""CIFAR-10 and networks as small as two CPU cores can bear."""

from __future__ import annotations

from diffusionnag.networks import OwnFit, TaskData, load_data
from diffusionnag.spaces import SearchSpace
from experiments.measured_data import CIFAR10_TRAINING, data_file

RESOLUTION, WIDTH, CELLS = 16, 0.5, 1
SIZE = f"{RESOLUTION} pixels, {round(16 * WIDTH)} channels and {CELLS} cell a stage"


def small_cifar10(space: SearchSpace, images: int, cells: int = CELLS) -> TaskData:
    """Return so many images, a tenth of them held out; raises DiffusionNAGError without CIFAR-10.

    The networks that they are for have so many cells a stage.
    """
    data = load_data(
        data_file(CIFAR10_TRAINING),
        space,
        resolution=RESOLUTION,
        width=WIDTH,
        cells=cells,
        subset=images,
    )
    assert not isinstance(data, OwnFit)
    return data
