"""What is measured on generated architectures: validity, uniqueness, novelty (paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.diffusion.training_set import TrainingSet
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.search_space import operation_indices


@dataclass(frozen=True)
class GenerationQuality:
    """Validity of all, uniqueness of the valid, novelty of the valid; in %, NaN where undefined."""

    validity: float
    uniqueness: float
    novelty: float


def generation_quality(
    space: SearchSpace, architectures: Sequence[Architecture], training_set: TrainingSet
) -> GenerationQuality:
    """Return the paper's three metrics for architectures as generated, before any repair.

    Uniqueness is the share of distinct among the valid; novelty the share of the valid that are
    not in the training set.
    """
    valid = [architecture for architecture in architectures if space.is_valid(architecture)]
    return GenerationQuality(
        validity=_percentage(len(valid), len(architectures)),
        uniqueness=_percentage(len(set(valid)), len(valid)),
        novelty=_percentage(int((~training_set.contains(space, valid)).sum()), len(valid)),
    )


def operation_counts(space: SearchSpace, architectures: Iterable[Architecture]) -> np.ndarray:
    """Return how often each operation stands at each node, `N x F` int."""
    indices = operation_indices(architectures, len(space.nodes))
    operations = np.arange(len(space.operations))
    return (indices[:, :, None] == operations).sum(0)


def _percentage(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else float("nan")
