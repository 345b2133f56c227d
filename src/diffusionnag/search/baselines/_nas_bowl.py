"""NAS-BOWL: a Gaussian process that sees an architecture as a Weisfeiler-Lehman graph."""

from __future__ import annotations

from functools import partial

from diffusionnag.predictors import ProcessOn, WeisfeilerLehman
from diffusionnag.search.proposers import Proposer
from diffusionnag.spaces import SearchSpace

POOL = 200
"""Candidates, half of them mutations of the ten best and half uniform draws."""


def nas_bowl(space: SearchSpace) -> Proposer:
    """Return a proposer with a Weisfeiler-Lehman kernel and expected improvement.

    The kernel is a squared exponential of each round's label counts, scaled to unit length, where
    the published one is their product. Source: Ru et al. 2021.
    """
    return Proposer(
        space,
        strategy="mutation+random",
        acquisition="EI",
        candidates=POOL,
        surrogate=_process_on_graphs,
    )


def _process_on_graphs(space: SearchSpace) -> ProcessOn:
    return ProcessOn(space, partial(WeisfeilerLehman, space))
