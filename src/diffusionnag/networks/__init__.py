"""From an architecture to a network of PyTorch: building, counting, exporting, measuring."""

from diffusionnag.networks.building import (
    build_network,
    check_resolution,
    check_width,
    network_family,
)
from diffusionnag.networks.counting import count_network
from diffusionnag.networks.trained import TrainedNetwork

__all__ = [
    "TrainedNetwork",
    "build_network",
    "check_resolution",
    "check_width",
    "count_network",
    "network_family",
]
