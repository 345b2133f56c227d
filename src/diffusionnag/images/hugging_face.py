"""Image data sets of the Hugging Face hub, through the package datasets."""

from __future__ import annotations

from typing import cast

import pyarrow as pa

from diffusionnag._packages import require_packages
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.images.dataset import ImageSet
from diffusionnag.images.tables import images_of_table

HUGGING_FACE = "hf:"
"""What stands before the name of a data set on the hub."""
USUAL_SPLIT = "train"


def read_hugging_face_images(name: str) -> ImageSet:
    """Return the images of `NAME` or `NAME:SPLIT`, an id on the hub or a folder laid out like one.

    Without a split it is the training split, or the only one. Raises DiffusionNAGError where the
    package datasets is missing, and for a split or columns that are not there;
    EnvironmentFailureError where the hub does not give the data set.
    """
    require_packages("vision", "datasets")
    import datasets

    datasets.logging.set_verbosity_error()
    source, _, split = name.partition(":")
    try:
        parts = datasets.load_dataset(source)
    except Exception as error:  # datasets and the hub's client raise errors of many kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise EnvironmentFailureError(f"no images from hf:{source}: {reason}") from error
    splits = [str(split) for split in parts]
    if not split:
        split = USUAL_SPLIT if USUAL_SPLIT in splits or len(splits) > 1 else splits[0]
    if split not in splits:
        raise DiffusionNAGError(f"hf:{source} has no split {split!r}; it has {', '.join(splits)}")
    part = parts[split]
    table = cast(pa.Table, part.with_format("arrow")[:])
    described = table.replace_schema_metadata(part.features.arrow_schema.metadata)
    return images_of_table(f"hf:{source}:{split}", described)
