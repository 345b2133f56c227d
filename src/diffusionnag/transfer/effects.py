"""What architectures and data sets each add to accuracies: one additive Gaussian process of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffusionnag._seeds import numpy_generator
from diffusionnag.predictors import (
    GaussianProcess,
    GaussianProcessConfig,
    covariance_of,
    fit_kernel,
    weights_of,
)
from diffusionnag.spaces import Architecture, SearchSpace

FITTED_ON = 1_000
"""Kernel parameters are fitted on so many triplets at most; what follows from them uses all."""


@dataclass(frozen=True, eq=False)
class Effects:
    """A process of what `distinct` architectures add, and the `levels` of data sets, `triplets`."""

    distinct: list[Architecture]
    process: GaussianProcess
    levels: np.ndarray


def separate_effects(
    space: SearchSpace,
    architectures: Sequence[Architecture],
    classes: Sequence[Sequence[int]],
    normal: np.ndarray,
    *,
    seed: int,
    report: Callable[[int, int], None],
) -> Effects:
    """Return what architectures and data sets each add to accuracies, standardised, `triplets`.

    The kernel is a sum: that of architectures on path features, and one of data sets on the classes
    that they share. Its parameters maximise the marginal likelihood of both together, so that one
    triplet of a data set teaches as much as any other (Duvenaud et al. 2011, "Additive Gaussian
    Processes"). Given the levels, repeats of an architecture count as their mean.
    """
    number: dict[Architecture, int] = {}
    rows = torch.tensor(
        [number.setdefault(architecture, len(number)) for architecture in architectures]
    )
    distinct = list(number)
    x = torch.from_numpy(space.encode(distinct)).double()
    config = GaussianProcessConfig(len(distinct), repeated=True, features="paths_and_order")
    process = GaussianProcess(space, config)
    known = [*(group[rows] for group in process.features(x)), memberships(classes)]
    target = torch.from_numpy(normal)
    few = torch.from_numpy(numpy_generator(seed).permutation(len(normal))[:FITTED_ON])
    kernel = fit_kernel([group[few] for group in known], target[few], report)
    weights = weights_of(known, kernel, target)
    variances, lengths = kernel[:-1].reshape(2, -1)
    of_sets = torch.stack([variances[-1], lengths[-1], kernel[-1]])
    levels = covariance_of(known[-1:], known[-1:], of_sets) @ weights
    process.kernel.copy_(torch.cat([variances[:-1], lengths[:-1], kernel[-1:]]))
    process.centre.copy_(target.mean())
    process.operations.copy_(x.argmax(-1))
    process.weights.index_add_(0, rows, weights)
    assert process.repeats is not None
    process.repeats.copy_(torch.bincount(rows))
    return Effects(distinct, process, levels.numpy())


def memberships(classes: Sequence[Sequence[int]]) -> Tensor:
    """Return which classes each data set has, `triplets x classes`, scaled to length 1."""
    members = torch.zeros(len(classes), 1 + max(map(max, classes)), dtype=torch.float64)
    for row, of_one in enumerate(classes):
        members[row, list(of_one)] = 1 / np.sqrt(len(of_one))
    return members
