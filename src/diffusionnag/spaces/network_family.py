"""What a space says of its networks: what they are built for, and the setting they were published in."""

from __future__ import annotations

from dataclasses import dataclass

from diffusionnag.spaces.cost import WEIGHTS_ONLY, Counter

IMAGE_CHANNELS = 3


@dataclass(frozen=True)
class ImageClassification:
    """What a network is built for: telling `classes` apart in images of `resolution` pixels.

    `width` is a factor on all numbers of channels, for spaces whose networks come in several.
    """

    classes: int
    resolution: int
    width: float = 1.0


@dataclass(frozen=True)
class NetworkFamily:
    """The networks of a space: the setting they were published in, and how they are counted.

    Arguments:
        resolution: pixels of an image.
        classes: classes of the benchmark's data set.
        smallest: least resolution in pixels that leaves something to convolve.
        widths: factors on all numbers of channels that there are.
        convention: what counts as a multiply-add.
    """

    resolution: int = 32
    classes: int = 10
    smallest: int = 1
    widths: tuple[float, ...] = (1.0,)
    convention: Counter = WEIGHTS_ONLY
