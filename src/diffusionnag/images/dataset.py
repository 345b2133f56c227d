"""A labelled image data set: encoded bytes by number, and the pixels they decode to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images.decoding import decode_square


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N labelled images; none is decoded before it is asked for.

    `classes` holds the K class names, `labels` (N) int64 the number of each image's class, and
    `encoded(index)` returns the bytes of an image file. Images may differ in size and colour mode.
    """

    name: str
    classes: tuple[str, ...]
    labels: np.ndarray
    encoded: Callable[[int], bytes]

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int, size: int) -> np.ndarray | None:
        """Return an image's centre square as RGB, `size x size x 3` uint8; None if it is corrupt.

        Raises DiffusionNAGError for grey values of unknown scale.
        """
        try:
            return decode_square(self.encoded(index), size)
        except DiffusionNAGError as error:
            raise DiffusionNAGError(f"image {index + 1} of {self.name}: {error}") from error

    def of_class(self, label: int) -> np.ndarray:
        """Return the numbers of the images of one class, ascending."""
        return np.flatnonzero(self.labels == label)


def join_image_sets(parts: Sequence[ImageSet]) -> ImageSet:
    """Return several image data sets as one, with the classes of each after those of the former."""
    firsts = np.cumsum([0, *(len(part.classes) for part in parts)])
    names = tuple(name for part in parts for name in part.classes)
    labels = [part.labels + first for part, first in zip(parts, firsts, strict=False)]
    return _one_after_another(parts, names, labels)


def merge_image_sets(parts: Sequence[ImageSet]) -> ImageSet:
    """Return several image data sets as one, in which classes of the same name are one class."""
    number: dict[str, int] = {}
    labels = []
    for part in parts:
        places = [number.setdefault(name, len(number)) for name in part.classes]
        labels.append(np.array(places, dtype=np.int64)[part.labels])
    return _one_after_another(parts, tuple(number), labels)


def _one_after_another(
    parts: Sequence[ImageSet], classes: tuple[str, ...], labels: Sequence[np.ndarray]
) -> ImageSet:
    starts = np.cumsum([0, *map(len, parts)])

    def encoded(index: int) -> bytes:
        part = int(np.searchsorted(starts, index, side="right")) - 1
        return parts[part].encoded(index - int(starts[part]))

    name = " and ".join(part.name for part in parts)
    return ImageSet(name, classes, np.concatenate(labels), encoded)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded images of one size, `values` N x 3 x size x size uint8, and `labels` (N) int64.

    `skipped` images were corrupt and are not among the N.
    """

    values: np.ndarray
    labels: np.ndarray
    skipped: int = 0


def read_pixels(
    images: ImageSet,
    size: int,
    indices: Sequence[int] | np.ndarray | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Pixels:
    """Decode images, all or those with the given numbers, to `size` pixels; leave out corrupt ones.

    `report` is given the number decoded so far, and of how many. Raises DiffusionNAGError where no
    image is left, or memory does not suffice for them all.
    """
    chosen = np.arange(len(images)) if indices is None else np.asarray(indices, dtype=np.int64)
    try:
        values = np.empty((len(chosen), 3, size, size), dtype=np.uint8)
    except MemoryError as error:
        raise DiffusionNAGError(
            f"{len(chosen):,} images of {size} pixels need {len(chosen) * 3 * size**2 / 2**30:.0f} "
            "GiB of memory; use fewer images or a lower resolution"
        ) from error
    sound: list[int] = []
    for done, index in enumerate(chosen.tolist(), start=1):
        image = images.read(index, size)
        if image is not None:
            values[len(sound)] = image.transpose(2, 0, 1)
            sound.append(index)
        report(done, len(chosen))
    if not sound:
        raise DiffusionNAGError(f"none of the {len(chosen):,} images of {images.name} can be read")
    return Pixels(values[: len(sound)], images.labels[sound], len(chosen) - len(sound))
