"""A graph to try things out: communities whose members are linked more often (Holland et al. 1983)."""

from __future__ import annotations

import numpy as np

from diffusionnag._memory import check_fits
from diffusionnag.errors import DiffusionNAGError

BLOCK_MODEL = "sbm:"
"""Before the number of nodes of such a graph."""
COMMUNITIES, FEATURES = 4, 16
WITHIN, BETWEEN = 6.0, 3.0
"""Links of a node, on average, to its own community, and to all others together."""
SPREAD = 2.0
"""Deviation of the features around their community's mean, whose entries have a deviation of 1."""


def draw_block_model(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features `N x 16`, communities N and edges `2 x edges` of `sbm:N`, always the same.

    Neither the features alone nor the edges alone tell the communities well. Raises
    DiffusionNAGError for what is no number of at least 40 nodes.
    """
    number = text.removeprefix(BLOCK_MODEL)
    if not number.isdecimal() or int(number) < 10 * COMMUNITIES:
        raise DiffusionNAGError(
            f"{text!r} should read like '{BLOCK_MODEL}1000', with {10 * COMMUNITIES} nodes or more"
        )
    count = int(number)
    check_fits(f"a graph of {count:,} nodes", 9 * count**2)
    rng = np.random.default_rng(0)
    labels = np.arange(count) % COMMUNITIES
    means = rng.normal(size=(COMMUNITIES, FEATURES))
    features = means[labels] + SPREAD * rng.normal(size=(count, FEATURES))
    same = labels[:, None] == labels[None]
    own = count / COMMUNITIES
    linked = rng.random((count, count)) < np.where(same, WITHIN / own, BETWEEN / (count - own))
    edges = np.argwhere(np.triu(linked, 1)).T
    return features, labels.astype(float), edges
