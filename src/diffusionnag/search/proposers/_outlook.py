"""What a search has come to: its best as the surrogate sees it, and whether better is to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffusionnag.predictors import PropertyPredictor
from diffusionnag.search.proposers._learned import Learned
from diffusionnag.spaces import Architecture

KERNELS, DRAWS = 8, 250
"""Kernels that the measurements hold possible, and draws of all values at once under each of them."""


@dataclass(frozen=True)
class Outlook:
    """What the surrogate of a search for one objective says at its end.

    `architectures` are those measured that keep the constraints, the one that it holds best first;
    their true values are `means` give or take `deviations` (both `measured`), in the unit of the
    objective: where measuring is noisy, the highest value is likely to be luck. `chance_of_better` is
    the probability that one of the `candidates`, which the search still finds, is truly better than
    all that were measured.
    """

    architectures: list[Architecture]
    means: np.ndarray
    deviations: np.ndarray
    candidates: list[Architecture]
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
    everything, known = [*kept, *candidates], len(kept)
    mean = surrogate.joint(kept)[0]
    order = mean.argsort(descending=True, stable=True)
    joints = surrogate.plausible_joints(everything, KERNELS)
    variances = [
        covariance.diagonal()[:known] + (other[:known] - mean).square()
        for other, covariance in joints
    ]
    deviations = torch.stack(variances).mean(0).clamp(min=0).sqrt()
    means, spreads = surrogate.in_unit(mean[order], deviations[order])
    rng = np.random.default_rng(0)
    drawn = np.concatenate([_draws(*moments, rng) for moments in joints])
    better = drawn[:, known:] > drawn[:, :known].max(1, keepdims=True)
    allowed = rng.random(better.shape) < np.exp(learned.log_feasibility(candidates))
    chance = float((better & allowed).any(1).mean())
    return Outlook([kept[row] for row in order.tolist()], means, spreads, [*candidates], chance)


def _draws(mean: Tensor, covariance: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Return draws of all values at once, `DRAWS x batch`."""
    return rng.multivariate_normal(
        mean.numpy(), covariance.numpy(), DRAWS, check_valid="ignore", method="eigh"
    )
