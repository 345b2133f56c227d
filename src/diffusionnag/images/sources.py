"""Where image data sets come from: a folder of classes, or a Parquet file of encoded images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images.dataset import ImageSet

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
SPLITS = frozenset(("train", "val", "valid", "validation", "test"))
"""Names of folders that hold a part of a data set rather than a class."""
IMAGE_COLUMNS = ("image", "img", "jpeg", "jpg", "png", "bytes")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "class_id", "target")


def read_images(path: str | Path) -> ImageSet:
    """Return the labelled images of a folder or of a Parquet file.

    A folder holds one folder a class, and images anywhere below it. A Parquet file holds a column
    of encoded images (bytes, or the Hugging Face structure with a field `bytes`) called `image`,
    `img`, `jpeg`, `jpg`, `png` or `bytes`, and a column of labels (numbers or names) called `label`,
    `labels`, `fine_label`, `class`, `class_id` or `target`. Classes are sorted, and so are the images
    of a folder. Raises DiffusionNAGError for anything else.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DiffusionNAGError(
            f"no {path}; images come from a folder of classes or a .parquet file"
        )
    if path.suffix != ".parquet":
        raise DiffusionNAGError(
            f"{path} is no folder of classes and no .parquet file; images come from either"
        )
    return _read_parquet(path)


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
    return ImageSet(str(folder), classes, labels, lambda index: _file_bytes(files[index]))


def _image_files(folder: Path) -> list[Path]:
    return sorted(filter(_is_image, folder.rglob("*")))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # what cannot be read counts as corrupt, and is skipped like it


def _read_parquet(path: Path) -> ImageSet:
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        image_column = _choose(path, schema, IMAGE_COLUMNS, "encoded images", _holds_bytes)
        label_column = _choose(path, schema, LABEL_COLUMNS, "labels", _holds_labels)
        table = file.read(columns=[image_column, label_column])
    except (pa.ArrowException, OSError) as error:
        raise DiffusionNAGError(f"{path} is no readable Parquet file: {error}") from error
    written = table.column(label_column).to_pylist()
    if not written or None in written:
        what = "a row without a label" if written else "no rows"
        raise DiffusionNAGError(f"{path} holds {what}")
    values = sorted(set(written))
    number = {value: place for place, value in enumerate(values)}
    labels = np.array([number[value] for value in written], dtype=np.int64)
    classes = tuple(_class_names(schema, label_column, values))
    images = table.column(image_column)
    return ImageSet(str(path), classes, labels, lambda index: _cell_bytes(images[index].as_py()))


def _cell_bytes(cell: bytes | dict[str, Any] | None) -> bytes:
    found = cell.get("bytes") if isinstance(cell, dict) else cell
    return found or b""


def _choose(path: Path, schema: pa.Schema, names: Sequence[str], what: str, fits: Any) -> str:
    for name in names:
        if name in schema.names and fits(schema.field(name).type):
            return name
    raise DiffusionNAGError(
        f"{path} has no column of {what}: one called {', '.join(names)} is expected, it has "
        f"{', '.join(schema.names)}"
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _holds_labels(kind: pa.DataType) -> bool:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return pa.types.is_integer(kind) or text


def _class_names(schema: pa.Schema, label_column: str, values: list[Any]) -> list[str]:
    """Return a name for each label: those noted in the file's metadata, else the label itself."""
    metadata = schema.metadata or {}
    names: list[str] = []
    if b"classes" in metadata:
        names = metadata[b"classes"].decode(errors="replace").split(",")
    elif b"huggingface" in metadata:
        try:
            features = json.loads(metadata[b"huggingface"])["info"]["features"]
            names = list(features[label_column]["names"])
        except (ValueError, KeyError, TypeError):
            names = []
    known = all(isinstance(value, int) and 0 <= value < len(names) for value in values)
    return [names[value] if known else str(value) for value in values]
