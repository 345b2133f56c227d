"""Constraints: bounds on what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Constraint:
    """An upper (`sign` 1) or lower (-1) bound on a measured value."""

    name: str
    sign: int
    bound: float

    def excess(self, metrics: Mapping[str, float]) -> float:
        """Return by how much the measured values break the bound; it is kept at 0 or less."""
        return self.sign * (metrics[self.name] - self.bound)

    def describe(self) -> str:
        """Return the bound in words."""
        return f"{self.name} {'<=' if self.sign > 0 else '>='} {self.bound:g}"
