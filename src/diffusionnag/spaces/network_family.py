"""What a space says of its networks: what they are built for unless asked otherwise, and their limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from diffusionnag.spaces.cost import WEIGHTS_ONLY, Counter
from diffusionnag.spaces.network_tasks import ImageClassification, Task


@dataclass(frozen=True)
class NetworkFamily:
    """The networks of a space: the task they were published for, and how they are counted.

    Arguments:
        task: what they are built for if nothing else is said, such as the benchmark's data set.
        smallest: least resolution in pixels that leaves something to convolve.
        widths: factors on all numbers of channels that there are.
        cells: whether the number of cells a stage may be chosen.
        convention: what counts as a multiply-add.
        extra: the extra of the library, and its package, that the networks need.
    """

    task: Task = field(default_factory=ImageClassification)
    smallest: int = 1
    widths: tuple[float, ...] = (1.0,)
    cells: bool = False
    convention: Counter = WEIGHTS_ONLY
    extra: tuple[str, str] | None = None
