"""From an architecture to a network of PyTorch: building, counting, exporting, measuring."""

from diffusionnag.networks.building import build_network, check_resolution, network_family
from diffusionnag.networks.counting import count_network

__all__ = ["build_network", "check_resolution", "count_network", "network_family"]
