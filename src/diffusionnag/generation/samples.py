"""What every way of generating returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

from diffusionnag.spaces import Architecture

Details = TypeVar("Details")


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
