"""What is measured on generated architectures: validity, uniqueness, novelty (paper, section 3.3)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffusionnag.diffusion.training_set import TrainingSet
from diffusionnag.generation.generator import Generator
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.search_space import operation_indices

PASSES = 2
"""Times that a step of a solver asks the network, at most."""
TIMED = 64
"""Samples in a batch by which the time for one is estimated."""


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
        novelty=_percentage(int((~training_set.contains(space.whole, valid)).sum()), len(valid)),
    )


def seconds_per_sample(generator: Generator) -> float:
    """Return about how long one sample takes at most, from one pass of the network over a batch."""
    space, solver = generator.search_space, generator.usual_solver(guided=True)
    x = torch.zeros(TIMED, len(space.nodes), len(space.operations))
    x = x.to(next(generator.denoiser.parameters()).device)
    with torch.inference_mode():
        generator.denoiser(x, x.new_tensor(1.0))  # the first pass prepares memory
        start = time.perf_counter()
        generator.denoiser(x, x.new_tensor(1.0))
        once = time.perf_counter() - start
    return PASSES * solver.steps * once / TIMED


def operation_counts(space: SearchSpace, architectures: Iterable[Architecture]) -> np.ndarray:
    """Return how often each operation stands at each node, `N x F` int."""
    indices = operation_indices(architectures, len(space.nodes))
    return count_operations(indices, len(space.operations))


def count_operations(indices: np.ndarray, operations: int) -> np.ndarray:
    """Return the same from indices, `count x N`, of so many operations."""
    return np.stack([np.bincount(node, minlength=operations) for node in indices.T])


def _percentage(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else float("nan")
