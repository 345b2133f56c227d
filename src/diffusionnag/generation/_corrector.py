"""A corrector of what was generated under a guide: nodes are drawn anew, each given all others.

Behind the denoiser a guide sees mixtures of architectures. Where a property changes abruptly with
single operations, no architecture holds what the mixture promised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffusionnag.guidance import Guidance
from diffusionnag.guidance.terms import merit_of_one_hot
from diffusionnag.spaces import Architecture, SearchSpace, operation_indices

SWEEPS = 2
"""How often each node is drawn anew."""
CHUNK = 4_096
"""Architectures whose likelihood is asked for together."""


def corrected(
    guide: Guidance,
    space: SearchSpace,
    architectures: Sequence[Architecture],
    rng: np.random.Generator,
) -> list[Architecture]:
    """Return valid architectures after sweeps towards p(A) ~ exp(log-likelihood of A under the guide).

    In each sweep every node, in random order, draws its operation with the probability that it has
    given all other nodes (Gibbs sampling, Geman and Geman 1984), over what the space's rule allows.
    """
    operations = operation_indices(architectures, len(space.nodes)).astype(np.int64)
    free = np.flatnonzero(space.allowed.sum(1) > 1)
    rows = np.arange(len(operations))
    for _ in range(SWEEPS):
        for node in rng.permutation(free).tolist():
            choices = np.flatnonzero(space.allowed[node])
            made = np.repeat(operations[:, None], len(choices), axis=1)
            made[:, :, node] = choices
            scores = _log_likelihoods(guide, space, made.reshape(-1, operations.shape[1]))
            scores = scores.reshape(len(rows), len(choices)) + rng.gumbel(size=made.shape[:2])
            operations = made[rows, scores.argmax(1)]
    return space.architectures(operations)


def _log_likelihoods(guide: Guidance, space: SearchSpace, operations: np.ndarray) -> np.ndarray:
    """Return the guide's log-likelihood of rows `batch x N`, minus infinity where a rule is broken."""
    values = np.full(len(operations), -np.inf)
    keeping = np.flatnonzero(space.obeys_rule(operations))
    for start in range(0, len(keeping), CHUNK):
        chunk = keeping[start : start + CHUNK]
        values[chunk] = merit_of_one_hot(guide, space.one_hot(operations[chunk]))
    return values
