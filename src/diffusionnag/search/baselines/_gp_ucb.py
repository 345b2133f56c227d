"""GP-UCB: a Gaussian process on the choices themselves, and the upper confidence bound."""

from __future__ import annotations

from diffusionnag.predictors import OneHot, ProcessOn
from diffusionnag.search.proposers import Proposer
from diffusionnag.spaces import SearchSpace


def gp_ucb(space: SearchSpace) -> Proposer:
    """Return a proposer that measures where mean plus two deviations is highest.

    The kernel is a squared exponential of one-hot operations, the pool half mutations of the best
    and half uniform draws. Source: Srinivas et al. 2010.
    """
    return Proposer(
        space, strategy="mutation+random", acquisition="UCB", surrogate=_process_on_one_hot
    )


def _process_on_one_hot(space: SearchSpace) -> ProcessOn:
    return ProcessOn(space, lambda _: OneHot(space))
