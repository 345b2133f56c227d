"""Image data sets of the user's own code: anything with a length that gives (image, label)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

from diffusionnag._user_code import import_user_code
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images.dataset import ImageSet

PYTHON = "python:"
"""What stands before the file and the function that returns a data set."""
CHANNELS = (1, 3, 4)


class LabelledImages(Protocol):
    """A map-style PyTorch `Dataset` of pairs: an image, and the number of its class."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Any, Any]: ...


def read_python_images(reference: str) -> ImageSet:
    """Return the images of what `FUNCTION` of `FILE.py:FUNCTION` returns.

    Raises DiffusionNAGError for code that cannot be loaded or fails, and as `images_of_dataset`.
    """
    file, _, name = reference.rpartition(":")
    function = getattr(import_user_code(file, reference), name, None)
    if not callable(function):
        raise DiffusionNAGError(f"{file} defines no function {name!r} that returns a data set")
    try:
        dataset: Any = function()
    except Exception as error:  # whatever the user's own code raises
        raise DiffusionNAGError(f"{reference} failed: {type(error).__name__}: {error}") from error
    return images_of_dataset(dataset, f"{PYTHON}{reference}")


def images_of_dataset(dataset: LabelledImages, name: str = "the data set") -> ImageSet:
    """Return the images of a PyTorch `Dataset`.

    An image is one of pillow's, or an array or tensor, `H x W`, `C x H x W` or `H x W x C`, uint8 or
    in 0 to 1. Labels come from its `targets` where it has them, otherwise each image is asked for once;
    names of classes from its `classes`. Raises DiffusionNAGError for data of any other kind, and for
    those that fail, also when an image is read later.
    """
    try:
        count = len(dataset)
        given = getattr(dataset, "targets", None)
        targets = given if given is not None else [dataset[row][1] for row in range(count)]
        labels = np.array([int(target) for target in targets], dtype=np.int64)
    except Exception as error:  # whatever the user's own code raises
        raise DiffusionNAGError(
            f"{name} should have a length, and give pairs of an image and the number of its class; "
            f"it does not ({type(error).__name__}: {error})"
        ) from error
    if not len(labels) or len(labels) != count or labels.min() < 0:
        raise DiffusionNAGError(
            f"{name}: {len(labels)} labels of {count} images; one each is needed, 0 or more"
        )
    _read(dataset, 0, name)  # says at once what is wrong with all of them
    present, numbers = np.unique(labels, return_inverse=True)
    names: Sequence[str] = getattr(dataset, "classes", ())
    known = present[-1] < len(names)
    classes = tuple(str(names[label]) if known else str(label) for label in present)
    return ImageSet(name, classes, numbers, lambda index: _read(dataset, index, name))


def _read(dataset: LabelledImages, index: int, name: str) -> bytes:
    try:
        return _encoded(dataset[index][0], name)
    except DiffusionNAGError:
        raise
    except Exception as error:  # whatever the user's own code raises
        raise DiffusionNAGError(
            f"{name}: image {index} cannot be read: {type(error).__name__}: {error}"
        ) from error


def _encoded(image: Any, name: str) -> bytes:
    """Return an image as the bytes of a PNG file."""
    picture = image if isinstance(image, Image.Image) else _picture(np.asarray(image), name)
    file = io.BytesIO()
    (picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB")).save(file, "PNG")
    return file.getvalue()


def _picture(values: np.ndarray, name: str) -> Image.Image:
    if values.ndim == 3 and values.shape[0] in CHANNELS and values.shape[-1] not in CHANNELS:
        values = values.transpose(1, 2, 0)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    fits = values.ndim == 2 or (values.ndim == 3 and values.shape[-1] in CHANNELS)
    if fits and np.issubdtype(values.dtype, np.floating):
        fits = values.min() >= 0 and values.max() <= 1
        values = (255 * values.clip(0, 1)).round().astype(np.uint8)
    if not fits or values.dtype != np.uint8:
        raise DiffusionNAGError(
            f"{name}: an image should be pillow's, or an array of uint8 or of numbers in 0 to 1 with "
            f"1, 3 or 4 channels; one is {values.dtype}, {' x '.join(map(str, values.shape))}"
        )
    return Image.fromarray(values)
