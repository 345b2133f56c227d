"""From an architecture to the network that it describes, whatever its space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.mnasnet import mnasnet_network
from diffusionnag.networks.mobilenetv3 import mobilenetv3_network
from diffusionnag.networks.nasbench201 import nasbench201_network
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.cost import (
    MNASNET_CONVENTION,
    MOBILENETV3_CONVENTION,
    NASBENCH201_CONVENTION,
    Counter,
)
from diffusionnag.spaces.mnasnet import MnasNet
from diffusionnag.spaces.mobilenetv3 import MobileNetV3
from diffusionnag.spaces.nasbench201 import NASBench201

MOBILENETV3_WIDTHS = (1.0, 1.2)


@dataclass(frozen=True)
class Family:
    """The networks of a space: the setting they were published in, and how they are counted."""

    resolution: int
    smallest: int
    """Least resolution in pixels that leaves something to convolve."""
    classes: int
    convention: Counter


FAMILIES = {
    NASBench201: Family(32, 4, 10, NASBENCH201_CONVENTION),
    MobileNetV3: Family(224, 32, 1000, MOBILENETV3_CONVENTION),
    MnasNet: Family(224, 32, 1000, MNASNET_CONVENTION),
}


def network_family(space: SearchSpace) -> Family:
    """Return how a space's networks are built; raises DiffusionNAGError where that is not known."""
    for kind, family in FAMILIES.items():
        if isinstance(space, kind):
            return family
    known = ", ".join(kind.name for kind in FAMILIES)
    raise DiffusionNAGError(f"networks of {space.name} cannot be built; those of {known} can")


def build_network(
    space: SearchSpace,
    architecture: Architecture,
    *,
    classes: int | None = None,
    width: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """Return the network of an architecture, freshly initialised, in training mode.

    It takes images `batch x 3 x resolution x resolution` and returns logits `batch x classes`; the
    classes are those of the space's benchmark if left out. `width`, of MobileNetV3 only, is 1.0 or
    1.2. Raises DiffusionNAGError for an invalid architecture, another space, and impossible
    settings.
    """
    family = network_family(space)
    count = family.classes if classes is None else classes
    if count < 1:
        raise DiffusionNAGError(f"a network of {count} classes cannot be built; at least 1")
    validity = space.is_valid(architecture)
    if not validity:
        raise DiffusionNAGError(f"the architecture is not valid: {validity.reason}")
    check_width(space, width)
    with torch.random.fork_rng():
        torch.manual_seed(check_seed(seed))
        if isinstance(space, NASBench201):
            return nasbench201_network(space.operation_names(architecture)[1:-1], classes=count)
        if isinstance(space, MobileNetV3):
            return mobilenetv3_network(space.stages(architecture), width=width, classes=count)
        assert isinstance(space, MnasNet)
        return mnasnet_network(space.blocks(architecture), classes=count)


def check_resolution(space: SearchSpace, resolution: int | None) -> int:
    """Return a resolution in pixels, the benchmark's own if it is None.

    Raises DiffusionNAGError for one that is too small.
    """
    family = network_family(space)
    if resolution is None:
        return family.resolution
    if resolution < family.smallest:
        raise DiffusionNAGError(
            f"{space.name} networks need images of {family.smallest} pixels at least, not {resolution}"
        )
    return resolution


def check_width(space: SearchSpace, width: float) -> float:
    """Return a factor on the channels; raises DiffusionNAGError for one the space does not have."""
    known = MOBILENETV3_WIDTHS if isinstance(space, MobileNetV3) else (1.0,)
    if width not in known:
        has = " and ".join(map(str, known))
        raise DiffusionNAGError(f"no {space.name} networks of width {width:g}; there is {has}")
    return width
