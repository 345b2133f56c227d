"""Where image data sets come from: folders, Parquet files, the hub, the user's own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images.dataset import ImageSet
from diffusionnag.images.hugging_face import HUGGING_FACE, read_hugging_face_images
from diffusionnag.images.python_dataset import PYTHON, read_python_images
from diffusionnag.images.tables import file_bytes, read_parquet_images

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
SPLITS = frozenset(("train", "val", "valid", "validation", "test"))
"""Names of folders that hold a part of a data set rather than a class."""


def read_images(path: str | Path) -> ImageSet:
    """Return the labelled images of a folder, a Parquet file, or another source.

    A folder holds one folder a class, and images anywhere below it. A Parquet file holds a column
    of encoded images (bytes, or the Hugging Face structure with a field `bytes`) called `image`,
    `img`, `jpeg`, `jpg`, `png` or `bytes`, and a column of labels (numbers or names) called `label`,
    `labels`, `fine_label`, `class`, `class_id` or `target`. Classes are sorted, and so are the images
    of a folder. `hf:NAME` or `hf:NAME:SPLIT` is a data set of the Hugging Face hub,
    `python:FILE.py:FUNCTION` a function that returns a PyTorch `Dataset`. Raises DiffusionNAGError
    for anything else.
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
    children = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in children if path.is_dir()]
    found = {one.name: _image_files(one) for one in folders}
    if any(map(_is_image, children)):
        raise DiffusionNAGError(
            f"{folder} holds images that are in no class; put those of each class into a folder of "
            "their own"
        )
    if folders and {one.name.lower() for one in folders} <= SPLITS:
        raise DiffusionNAGError(
            f"{folder} holds parts of a data set ({', '.join(found)}); name one of them: "
            f"{folders[0]}"
        )
    classes = tuple(name for name, files in found.items() if files)
    if not classes:
        raise DiffusionNAGError(f"{folder} holds no images; it should hold one folder a class")
    files = [file for name in classes for file in found[name]]
    labels = np.repeat(np.arange(len(classes)), [len(found[name]) for name in classes])
    return ImageSet(str(folder), classes, labels, lambda index: file_bytes(files[index]))


def _image_files(folder: Path) -> list[Path]:
    return sorted(filter(_is_image, folder.rglob("*")))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
