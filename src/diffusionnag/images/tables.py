"""Images in tables: a column of encoded images and one of labels."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images.dataset import ImageSet

IMAGE_COLUMNS = ("image", "img", "jpeg", "jpg", "png", "bytes")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "class_id", "target")


def read_parquet_images(path: Path) -> ImageSet:
    """Return the images of a Parquet file, as `images_of_table` finds them.

    Raises DiffusionNAGError for a file that is no such table.
    """
    try:
        file = pq.ParquetFile(path)
        columns = _columns(str(path), file.schema_arrow)
        table = file.read(columns=list(columns))
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, MemoryError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DiffusionNAGError(f"{path} is no readable Parquet file: {reason}") from error
    return images_of_table(str(path), table)


def images_of_table(name: str, table: pa.Table) -> ImageSet:
    """Return the images of a table with a column of encoded images and one of labels.

    Raises DiffusionNAGError where either is missing, and for a row without a label.
    """
    image_column, label_column = _columns(name, table.schema)
    written = [_whole(value) for value in table.column(label_column).to_pylist()]
    if not written or None in written:
        what = "a row without a label" if written else "no rows"
        raise DiffusionNAGError(f"{name} holds {what}")
    values = sorted(set(written))
    number = {value: place for place, value in enumerate(values)}
    labels = np.array([number[value] for value in written], dtype=np.int64)
    classes = tuple(_class_names(table.schema, label_column, values))
    images = table.column(image_column)
    return ImageSet(name, classes, labels, lambda index: _cell_bytes(images[index].as_py()))


def _columns(name: str, schema: pa.Schema) -> tuple[str, str]:
    """Return the names of the columns of encoded images and of labels."""
    return (
        _choose(name, schema, IMAGE_COLUMNS, "encoded images", _holds_bytes),
        _choose(name, schema, LABEL_COLUMNS, "labels", _holds_labels),
    )


def _cell_bytes(cell: bytes | dict[str, Any] | None) -> bytes:
    if isinstance(cell, dict):
        # Where a data set was made from files, a cell may hold the path alone.
        return cell.get("bytes") or file_bytes(Path(cell.get("path") or ""))
    return cell or b""


def file_bytes(path: Path) -> bytes:
    """Return the bytes of an image file; none where it cannot be read, like a corrupt one."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _choose(where: str, schema: pa.Schema, names: Sequence[str], what: str, fits: Any) -> str:
    for name in names:
        if name in schema.names and fits(schema.field(name).type):
            return name
    raise DiffusionNAGError(
        f"{where} has no column of {what}: one called {', '.join(names)} is expected, it has "
        f"{', '.join(schema.names)}"
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_bytes(kind.field(place).type)
    if pa.types.is_dictionary(kind):
        return _holds_bytes(kind.value_type)
    checks = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(check(kind) for check in checks)


def _holds_labels(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_labels(kind.value_type)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    numbers = (
        pa.types.is_integer,
        pa.types.is_boolean,
        pa.types.is_floating,
        pa.types.is_decimal,
    )
    return any(check(kind) for check in (*texts, *numbers))


def _whole(value: Any) -> Any:
    """Return a label, a number that is whole as an int, and None for NaN."""
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            return None
        return int(value) if value == int(value) else float(value)
    return value


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
