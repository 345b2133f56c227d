"""AZ-NAS: four views of an untrained network, joined by their ranks (Lee & Ham, CVPR 2024).

The views are of the feature maps that its blocks put out, for inputs of normal noise and weights
that are normal too (He et al. 2015); the fourth, complexity, is `flops`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.proxies.untrained import Untrained

VIEWS = ("expressivity", "progressivity", "trainability", "flops")
"""The proxies that AZ-NAS joins."""
SMALLEST = 1e-6
"""Least norm of a block's Jacobian: of one that passes nothing back."""


def expressivity(untrained: Untrained) -> float:
    """Return how evenly the features of each block spread over directions, summed over blocks.

    It is the entropy of the shares that the principal components have of the variance (equation 2).
    NaN for a network without blocks.
    """
    entropies = _entropies(untrained.block_features)
    return float(entropies.sum()) if len(entropies) else float("nan")


def progressivity(untrained: Untrained) -> float:
    """Return the least gain in expressivity from a block to the next one (equation 4).

    NaN for a network of fewer than two blocks.
    """
    entropies = _entropies(untrained.block_features)
    return float(entropies.diff().min()) if len(entropies) > 1 else float("nan")


def trainability(untrained: Untrained) -> float:
    """Return how near to 1 the spectral norms of the blocks' Jacobians are, 0 at most (equation 7).

    Each Jacobian is estimated by passing random signs back. A block that only passes its input on
    counts as one that passes nothing back. NaN for a network of fewer than two blocks.
    """
    features = untrained.block_features
    norms = []
    for before, after in pairwise(features):
        signs = torch.randint(0, 2, after.shape, device=after.device).to(after) * 2 - 1
        (passed,) = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)
        if passed is None or (passed.shape == signs.shape and torch.equal(passed, signs)):
            norms.append(after.new_tensor(SMALLEST))
            continue
        ours, theirs = _rows(_same_places(passed, signs)), _rows(signs)
        norms.append(torch.linalg.matrix_norm(ours.T @ theirs / len(theirs), 2))
    if not norms:
        return float("nan")
    norm = torch.stack(norms).double().clamp_min(SMALLEST)
    return float((2 - norm - 1 / norm).mean())


def az_nas(views: dict[str, np.ndarray]) -> np.ndarray:
    """Return the sum of the logarithms of the ranks by each view, of their share, `count` float64.

    Views hold the scores of the same networks, each `count`. What is ranked low by one view is far
    behind (equation 9). NaN for a network that one is not defined for.
    """
    values = np.stack(list(views.values()))
    known = np.isfinite(values).all(axis=0)
    joined = np.full(values.shape[1], np.nan)
    ranks = values[:, known, None] >= values[:, None, known]
    joined[known] = np.log(ranks.mean(axis=2)).sum(axis=0)
    return joined


def _entropies(features: list[Tensor]) -> Tensor:
    """Return the entropy of the principal components' shares of the variance, one a block."""
    entropies = []
    for each in features:
        rows = _rows(each.detach()).double()
        variances = torch.linalg.eigvalsh(torch.cov(rows.T, correction=0)).clamp_min(0)
        shares = variances / variances.sum().clamp_min(torch.finfo(torch.float64).tiny)
        entropies.append(torch.special.entr(shares).sum())
    return torch.stack(entropies) if entropies else torch.zeros(0)


def _rows(features: Tensor) -> Tensor:
    """Return features as `places x channels`; of three axes the last one holds the channels."""
    channels_last = features.movedim(1, -1) if features.dim() > 3 else features
    return channels_last.flatten(0, -2)


def _same_places(passed: Tensor, signs: Tensor) -> Tensor:
    """Return what was passed back with as many places as the signs, further ones as more channels."""
    if passed.dim() != 4 or passed.shape[2:] == signs.shape[2:]:
        return passed
    (height, width), (rows, columns) = passed.shape[2:], signs.shape[2:]
    stride = max(-(-height // rows), -(-width // columns))
    edges = (0, columns * stride - width, 0, rows * stride - height)
    return functional.pixel_unshuffle(functional.pad(passed, edges), stride)
