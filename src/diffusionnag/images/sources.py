"""Where image data sets come from: folders, Parquet files, the hub, the user's own code."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.images.dataset import ImageSet
from diffusionnag.images.hugging_face import HUGGING_FACE, read_hugging_face_images
from diffusionnag.images.python_dataset import PYTHON, read_python_images
from diffusionnag.images.tables import file_bytes, read_parquet_images

logger = logging.getLogger(__name__)

_USUAL = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_RARE = (".apng", ".avif", ".dib", ".jfif", ".jp2", ".jpe", ".pbm", ".pgm", ".pnm", ".ppm", ".tga")
SUFFIXES = frozenset(_USUAL + _RARE)
NOT_THE_USERS = frozenset(
    ("@eadir", "__macosx", "#recycle", "#snapshot", "$recycle.bin", "lost+found")
)
"""Folders in which file servers and archive programs keep copies and previews."""
SPLITS = frozenset(("train", "val", "valid", "validation", "test"))
"""Names of folders that hold a part of a data set rather than a class."""


def read_images(path: str | Path) -> ImageSet:
    """Return the labelled images of a folder, a Parquet file, or another source.

    A folder holds one folder a class, and images anywhere below it, linked folders included; hidden
    files and folders are left out. A Parquet file holds a column of encoded images (bytes, or the
    Hugging Face structure with a field `bytes`) called `image`, `img`, `jpeg`, `jpg`, `png` or
    `bytes`, and a column of labels (numbers, names, categories, true and false) called `label`,
    `labels`, `fine_label`, `class`, `class_id` or `target`. Classes are sorted, and so are the
    images of a folder. `hf:NAME` or `hf:NAME:SPLIT` is a data set of the Hugging Face hub,
    `python:FILE.py:FUNCTION` a function that returns a PyTorch `Dataset`. Raises DiffusionNAGError
    for anything else, EnvironmentFailureError for what cannot be read.
    """
    if str(path).startswith(HUGGING_FACE):
        return read_hugging_face_images(str(path).removeprefix(HUGGING_FACE))
    if str(path).startswith(PYTHON):
        return read_python_images(str(path).removeprefix(PYTHON))
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DiffusionNAGError(
            f"no {path}; images come from a folder of classes, a .parquet file, hf:NAME or "
            "python:FILE.py:FUNCTION"
        )
    if path.suffix != ".parquet":
        raise DiffusionNAGError(
            f"{path} is no folder of classes and no .parquet file; images come from either"
        )
    return read_parquet_images(path)


def _read_folder(folder: Path) -> ImageSet:
    children = _children(folder)
    folders = [path for path in children if path.is_dir()]
    files_of = {path.name: _files(path, frozenset((path.resolve(),))) for path in folders}
    images_of = {name: list(filter(_is_image, files)) for name, files in files_of.items()}
    if any(map(_is_image, children)):
        raise DiffusionNAGError(
            f"{folder} holds images that are in no class; put those of each class into a folder of "
            "their own"
        )
    if folders and {path.name.lower() for path in folders} <= SPLITS:
        raise DiffusionNAGError(
            f"{folder} holds parts of a data set ({', '.join(images_of)}); name one of them: "
            f"{folders[0]}"
        )
    classes = tuple(name for name, images in images_of.items() if images)
    if not classes:
        raise DiffusionNAGError(f"{folder} holds no images; it should hold one folder a class")
    for name, files in files_of.items():
        if files and not images_of[name]:
            logger.warning(
                "%s is no class: it holds no images that are known by their ending, but %s",
                folder / name,
                files[0].name,
            )
    images = [image for name in classes for image in images_of[name]]
    labels = np.repeat(np.arange(len(classes)), [len(images_of[name]) for name in classes])
    return ImageSet(str(folder), classes, labels, lambda index: file_bytes(images[index]))


def _children(folder: Path) -> list[Path]:
    """Return what a folder holds, sorted, without what is hidden.

    Raises EnvironmentFailureError for a folder that cannot be read.
    """
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise EnvironmentFailureError(f"cannot read {folder}: {error.strerror}") from error
    return [
        path
        for path in children
        if not path.name.startswith(".") and path.name.lower() not in NOT_THE_USERS
    ]


def _files(folder: Path, above: frozenset[Path]) -> list[Path]:
    """Return the files below a folder, sorted; links are followed, unless they lead back `above`."""
    files = []
    for path in _children(folder):
        if path.is_dir():
            real = path.resolve()
            files += [] if real in above else _files(path, above | {real})
        else:
            files.append(path)
    return sorted(files)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.is_dir()
