"""What every way of generating returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace

Details = TypeVar("Details")


def check_wanted(space: SearchSpace, count: int, *, distinct: bool) -> None:
    """Raise DiffusionNAGError for a count below 1, and for more distinct ones than there are."""
    if count < 1:
        raise DiffusionNAGError(f"cannot generate {count} architectures; ask for at least 1")
    if distinct and space.is_enumerable and count > space.size:
        raise DiffusionNAGError(
            f"{space.name} has {space.size} architectures; {count} distinct ones do not exist"
        )


@dataclass(frozen=True)
class Samples(Sequence[Architecture], Generic[Details]):
    """Valid architectures that keep the limits, with what was drawn on the way to them.

    `details` is what one way of generating has to tell besides: `Best`, `Resampled`, `Evolved` or
    `Front`, None for plain sampling.
    """

    architectures: list[Architecture]
    drawn: list[Architecture]
    """All that left the network before any repair or rejection, repeated and invalid ones included."""
    rejected: int
    """How many of the drawn were valid, and broke a limit."""
    details: Details
    unbuildable: int = 0
    """How many architectures were left out because a user's own builder makes no network of them."""

    @overload
    def __getitem__(self, index: int) -> Architecture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Architecture]: ...
    def __getitem__(self, index: int | slice) -> Architecture | list[Architecture]:
        return self.architectures[index]

    def __len__(self) -> int:
        return len(self.architectures)
