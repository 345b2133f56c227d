"""From the bytes of an image file to RGB pixels, whatever its kind, size and colour mode."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from diffusionnag.errors import DiffusionNAGError


def decode_square(encoded: bytes, size: int) -> np.ndarray | None:
    """Return an image's centre square as RGB, `size x size x 3` uint8; None if it is corrupt.

    The shorter side is brought to `size` (bicubic), and what the longer one exceeds is cut off at
    both ends. The orientation noted by a camera is applied, transparency becomes white, and of an
    animation the first picture is taken. Grey values of 16 bits are scaled from 0 to 65,535, floating
    point ones from 0 to 1. Raises DiffusionNAGError for others, whose scale is unknown.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pillow's, about metadata that nobody reads here
            with Image.open(io.BytesIO(encoded)) as image:
                image.draft(None, (size, size))  # a JPEG much larger is decoded at a fraction
                upright = ImageOps.exif_transpose(image)
                square = ImageOps.fit(
                    _to_rgb(upright, image.format), (size, size), Image.Resampling.BICUBIC
                )
                return np.asarray(square)
    except DiffusionNAGError:
        raise
    except Exception:  # pillow's decoders raise errors of many kinds on damaged data
        return None


def _to_rgb(image: Image.Image, container: str | None) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _scaled(image, container).convert("RGB")
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(opaque, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _scaled(image: Image.Image, container: str | None) -> Image.Image:
    """Return a grey image of 16 or 32 bits as one of 8; pillow itself would cut off what exceeds 255."""
    values = np.asarray(image, dtype=np.float64)
    # Pillow holds the 16-bit values of some containers in 32 bits.
    known = image.mode != "I" or container in ("PNG", "PPM")
    full = 1 if image.mode == "F" else 65535
    if not (known and values.min() >= 0 and values.max() <= full):
        raise DiffusionNAGError(
            f"its grey values, {values.min():g} to {values.max():g} in {image.mode!r} of pillow, have "
            "no known scale; save it with 8 or 16 bits, or as floating-point numbers from 0 to 1"
        )
    return Image.fromarray((values / full * 255).round().astype(np.uint8))
