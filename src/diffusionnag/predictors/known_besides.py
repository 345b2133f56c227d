"""Features of architectures, and what properties that are known already say of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from diffusionnag.guidance.properties import Property
from diffusionnag.predictors.path_features import ArchitectureFeatures, FeaturesAnd
from diffusionnag.spaces import SearchSpace


def features_besides(space: SearchSpace, known: Sequence[Property]) -> FeaturesAnd:
    """Return the features of architectures, and each aspect of each known property as a group.

    The properties may be in any unit, or misleading: how each counts, if it does, a process learns as
    all else.
    """
    count = sum(len(each.aspect_names) for each in known)
    return FeaturesAnd(ArchitectureFeatures(space), partial(_aspects, known), count)


def _aspects(known: Sequence[Property], x: Tensor) -> list[Tensor]:
    """Return each aspect of each property of `batch x N x F`, `batch x 1`."""
    return [aspect for each in known for aspect in each.aspects(x.float()).split(1, dim=1)]
