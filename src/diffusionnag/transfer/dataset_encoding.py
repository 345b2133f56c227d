"""From the images of a data set to codes, the same whatever their order; kept between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import platformdirs
import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from diffusionnag._files import prepare_folder, write_atomically
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.transfer.image_encoder import EncodesImages

if TYPE_CHECKING:
    from diffusionnag.images import ImageSet

IMAGES_PER_CLASS = 20
MOST_CLASSES = 200
"""Of more classes a sample describes a data set as well."""
BATCH = 64
"""Images that are encoded at once; of a big encoder more would take gigabytes."""


@dataclass(frozen=True, eq=False)
class DatasetEncoding:
    """Image codes of a data set, `classes x images x dimensions`, and which are `present` (bool).

    `labels` are the numbers of the classes, `skipped` counts images that could not be decoded.
    """

    codes: Tensor
    present: Tensor
    labels: tuple[int, ...]
    skipped: int


def encode_dataset(
    images: ImageSet,
    encoder: EncodesImages,
    *,
    most_classes: int | None = MOST_CLASSES,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> DatasetEncoding:
    """Return the codes of up to 20 images of each of up to 200 classes.

    What is taken follows from the images' contents and the seed, never from names or order, and so
    does the order in which it is returned. All files are read, few decoded. Codes are kept in the
    user's cache folder. Raises DiffusionNAGError where no image can be decoded.
    """
    check_seed(seed)
    classes = []
    for label in range(len(images.classes)):
        members = images.of_class(label)
        ranked = sorted((_digest(images.encoded(int(row)), seed), int(row)) for row in members)
        classes.append((ranked[0][0], label, ranked))
        report(label + 1, len(images.classes))
    chosen = sorted(classes)[:most_classes]
    contents = "".join(digest for _, _, ranked in chosen for digest, _ in ranked)
    settings = f"{encoder.name} {seed} {IMAGES_PER_CLASS} {most_classes} {contents}"
    file = f"{hashlib.sha256(settings.encode()).hexdigest()}.safetensors"
    kept = _read_cache(file)
    if kept is None:
        kept = _encode([ranked for _, _, ranked in chosen], images, encoder)
        _write_cache(file, kept)
    present = kept["present"].bool()
    if not present.any():
        raise DiffusionNAGError(f"none of the images of {images.name} can be read")
    labels = tuple(label for _, label, _ in chosen)
    return DatasetEncoding(kept["codes"], present, labels, int(kept["skipped"]))


def _digest(content: bytes, seed: int) -> str:
    return hashlib.sha256(str(seed).encode() + b" " + content).hexdigest()


def _encode(
    classes: list[list[tuple[str, int]]], images: ImageSet, encoder: EncodesImages
) -> dict[str, Tensor]:
    pixels: list[np.ndarray] = []
    places: list[tuple[int, int]] = []
    skipped = 0
    for row, ranked in enumerate(classes):
        taken = 0
        for _, index in ranked:
            image = images.read(index, encoder.size)
            if image is None:
                skipped += 1
                continue
            pixels.append(image.transpose(2, 0, 1))
            places.append((row, taken))
            taken += 1
            if taken == IMAGES_PER_CLASS:
                break
    width = max((place for _, place in places), default=0) + 1
    codes = torch.zeros(len(classes), width, encoder.dimensions)
    present = torch.zeros(len(classes), width, dtype=torch.uint8)
    with torch.no_grad():
        for start in range(0, len(pixels), BATCH):
            batch = torch.from_numpy(np.stack(pixels[start : start + BATCH])).float() / 255
            rows, columns = zip(*places[start : start + BATCH], strict=True)
            codes[list(rows), list(columns)] = encoder(batch)
            present[list(rows), list(columns)] = 1
    return {"codes": codes, "present": present, "skipped": torch.tensor(skipped)}


def _read_cache(file: str) -> dict[str, Tensor] | None:
    """Return what is kept under a name, None where nothing sound is."""
    try:
        return load_file(platformdirs.user_cache_path("diffusionnag") / file)
    except (OSError, safetensors.SafetensorError):
        return None


def _write_cache(file: str, kept: dict[str, Tensor]) -> None:
    """Keep codes for the next run; without a writable cache folder nothing is kept."""
    folder = platformdirs.user_cache_path("diffusionnag")
    try:
        prepare_folder(folder)
        with write_atomically(folder / file) as temporary:
            temporary.write_bytes(save(kept))
    except (EnvironmentFailureError, safetensors.SafetensorError):
        return
