"""The images that architectures are trained for and compared on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diffusionnag._seeds import numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images import Pixels, read_images, read_pixels
from diffusionnag.networks.building import check_resolution
from diffusionnag.spaces import SearchSpace

HELD_OUT_SHARE = 0.1
"""Of the images of a data set that comes without a part for testing."""


@dataclass(frozen=True, eq=False)
class ImageTask:
    """Images to train on and images to measure the accuracy on, of the same classes."""

    classes: tuple[str, ...]
    training: Pixels
    held_out: Pixels
    resolution: int

    @property
    def skipped(self) -> int:
        """How many images could not be read."""
        return self.training.skipped + self.held_out.skipped

    def fingerprint(self) -> str:
        """Return a number in hexadecimal that tells this task from others."""
        total = hashlib.sha256()
        for pixels in (self.training, self.held_out):
            total.update(pixels.values.data)
            total.update(pixels.labels.tobytes())
        return total.hexdigest()[:16]


def load_task(
    data: str | Path,
    space: SearchSpace,
    *,
    test: str | Path | None = None,
    resolution: int | None = None,
    subset: int | None = None,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> ImageTask:
    """Decode a data set, as `read_images` reads it, to the resolution of a space or to another one.

    The accuracy is measured on the images of `test`, or else on a tenth that is held out. `subset`
    limits how many images, drawn at random, are used of either. Raises DiffusionNAGError for what
    is no data set, one class only, and a test set of other classes.
    """
    size = check_resolution(space, resolution)
    images = read_images(data)
    if len(images.classes) < 2:
        raise DiffusionNAGError(f"{data} holds one class only; there is nothing to tell apart")
    rng = numpy_generator(seed)
    if subset is not None and subset < 2:
        raise DiffusionNAGError(f"{subset} images are too few to train on")
    order = rng.permutation(len(images))[:subset]
    if test is None:
        count = max(1, round(HELD_OUT_SHARE * len(order)))
        seen = read_pixels(images, size, order[count:], report)
        return ImageTask(
            images.classes, seen, read_pixels(images, size, order[:count], report), size
        )
    others = read_images(test)
    if others.classes != images.classes:
        raise DiffusionNAGError(f"{test} has other classes than {data}")
    seen = read_pixels(images, size, order, report)
    chosen = rng.permutation(len(others))[:subset]
    return ImageTask(images.classes, seen, read_pixels(others, size, chosen, report), size)
