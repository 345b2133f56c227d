"""What a search has come to: its best as the surrogate sees it, and whether better is to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.predictors import PropertyPredictor
from diffusionnag.search.proposers._learned import Learned
from diffusionnag.spaces import Architecture

DRAWS = 2_000
"""Draws of all values at once from the posterior; of a chance of 1 % they tell 0.8 to 1.2 %."""


@dataclass(frozen=True)
class Outlook:
    """What the surrogate of a search for one objective says at its end.

    `architectures` are those measured that keep the constraints, the one that it holds best first;
    their true values are `means` give or take `deviations` (both `measured`), in the unit of the
    objective: where measuring is noisy, the highest value is likely to be luck. `chance_of_better` is
    the probability that one of the architectures that the search still finds is truly better than all
    that were measured.
    """

    architectures: list[Architecture]
    means: np.ndarray
    deviations: np.ndarray
    chance_of_better: float


def outlook_of(learned: Learned, candidates: Sequence[Architecture]) -> Outlook | None:
    """Return the outlook of what was learnt of one objective, more being better.

    None for several objectives, where nothing measured keeps the constraints, and for a surrogate
    that knows no joint distribution.
    """
    kept = [*dict.fromkeys(each.architecture for each in learned.measured if not each.violation)]
    (surrogate, *others) = learned.objectives
    if others or not kept or not isinstance(surrogate, PropertyPredictor):
        return None
    mean, covariance = surrogate.joint([*kept, *candidates])
    known = len(kept)
    order = mean[:known].argsort(descending=True, stable=True)
    deviations = covariance.diagonal()[order].clamp(min=0).sqrt()
    means, spreads = surrogate.in_unit(mean[order], deviations)
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_normal(
        mean.numpy(), covariance.numpy(), DRAWS, check_valid="ignore", method="eigh"
    )
    better = drawn[:, known:] > drawn[:, :known].max(1, keepdims=True)
    allowed = rng.random(better.shape) < np.exp(learned.log_feasibility(candidates))
    chance = float((better & allowed).any(1).mean())
    return Outlook([kept[row] for row in order.tolist()], means, spreads, chance)
