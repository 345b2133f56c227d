"""From an architecture to the network that it describes, as its space builds it."""

from __future__ import annotations

import torch
from torch import nn

from diffusionnag._devices import torch_defaults
from diffusionnag._memory import check_fits
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, ImageClassification, SearchSpace


@torch_defaults()
def build_network(
    space: SearchSpace,
    architecture: Architecture,
    *,
    classes: int | None = None,
    resolution: int | None = None,
    width: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """Return the network of an architecture, freshly initialised, in training mode.

    It takes images `batch x 3 x resolution x resolution` and returns logits `batch x classes`;
    resolution and classes are those of the space's benchmark if left out. `width`, of MobileNetV3
    only, is 1.0 or 1.2. Raises DiffusionNAGError for an invalid architecture, a space whose
    networks cannot be built, and impossible settings.
    """
    require_networks(space)
    count = space.networks.classes if classes is None else classes
    if count < 1:
        raise DiffusionNAGError(f"a network of {count} classes cannot be built; at least 1")
    validity = space.is_valid(architecture)
    if not validity:
        raise DiffusionNAGError(f"the architecture is not valid: {validity.reason}")
    size = check_resolution(space, resolution)
    task = ImageClassification(count, size, check_width(space, width))
    with torch.random.fork_rng():
        torch.manual_seed(check_seed(seed))
        network = _built(space, architecture, task)
    if not isinstance(network, nn.Module):
        raise DiffusionNAGError(
            f"`build_network` of {space.name} returned {type(network).__name__}, no torch module, for "
            f"{space.format(architecture)}"
        )
    return network


def _built(space: SearchSpace, architecture: Architecture, task: ImageClassification) -> object:
    try:
        return space.build_network(architecture, task)
    except Exception as error:  # whatever the user's own code raises
        raise DiffusionNAGError(
            f"the network of {space.format(architecture)} cannot be built: {type(error).__name__}: "
            f"{error}"
        ) from error


def require_networks(space: SearchSpace) -> None:
    """Raise DiffusionNAGError for a space that does not say how its networks are built."""
    if not space.builds_networks:
        raise DiffusionNAGError(
            f"networks of {space.name} cannot be built: it names no function that does"
        )


def check_resolution(space: SearchSpace, resolution: int | None) -> int:
    """Return a resolution in pixels, the benchmark's own if it is None.

    Raises DiffusionNAGError for one that is too small or too large, and for a space whose networks
    cannot be built.
    """
    require_networks(space)
    family = space.networks
    if resolution is None:
        return family.resolution
    if resolution < family.smallest:
        raise DiffusionNAGError(
            f"{space.name} networks need images of {family.smallest} pixels at least, not {resolution}"
        )
    check_fits(f"an image of {resolution:,} pixels", 3 * 4 * resolution**2)
    return resolution


def check_width(space: SearchSpace, width: float) -> float:
    """Return a factor on the channels; raises DiffusionNAGError for one the space does not have."""
    known = space.networks.widths
    if width not in known:
        has = " and ".join(map(str, known))
        raise DiffusionNAGError(f"no {space.name} networks of width {width:g}; there is {has}")
    return width
