"""Decoding by constrained maximum likelihood: the likeliest architecture that is valid."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.search_space import SearchSpace

TRIED = 2_000
"""Combinations that are tried, likeliest first, before a row is given up."""
SMALLEST_PROBABILITY = 1e-6


def likeliest_valid(space: SearchSpace, probabilities: np.ndarray) -> Architecture | None:
    """Return the valid architecture of most likelihood under operation probabilities, `N x F`.

    The nodes count as independent, entries as probabilities, clipped to [1e-6, 1]; combinations of
    allowed operations are visited in the order of their likelihood. None if the first 2,000 are
    all invalid.
    """
    logs = np.log(np.clip(probabilities, SMALLEST_PROBABILITY, 1))
    options = [np.flatnonzero(row) for row in space.allowed]
    ranked = [
        allowed[np.argsort(-log[allowed], kind="stable")]
        for allowed, log in zip(options, logs, strict=True)
    ]
    losses = [log[order[0]] - log[order] for order, log in zip(ranked, logs, strict=True)]
    # Each combination follows from the one whose last changed node has the next likelier operation.
    waiting: list[tuple[float, tuple[int, ...], int]] = [(0.0, (0,) * len(ranked), 0)]
    for _ in range(TRIED):
        if not waiting:
            break
        loss, ranks, first = heapq.heappop(waiting)
        row = [order[rank] for order, rank in zip(ranked, ranks, strict=True)]
        (architecture,) = space.architectures(np.array([row]))
        if space.is_valid(architecture):
            return architecture
        for node in range(first, len(ranks)):
            rank = ranks[node] + 1
            if rank < len(ranked[node]):
                more = losses[node][rank] - losses[node][rank - 1]
                changed = (*ranks[:node], rank, *ranks[node + 1 :])
                heapq.heappush(waiting, (loss + more, changed, node))
    return None


def mend_invalid(
    space: SearchSpace, architectures: Sequence[Architecture], probabilities: np.ndarray
) -> list[Architecture]:
    """Return the likeliest valid ones in place of those that are invalid, where any was found.

    `probabilities` (`batch x N x F`) are what the architectures were decoded from.
    """
    mended = (
        likeliest_valid(space, row)
        for architecture, row in zip(architectures, probabilities, strict=True)
        if not space.is_valid(architecture)
    )
    return [valid for valid in mended if valid is not None]
