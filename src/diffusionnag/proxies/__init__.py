"""Training-free proxies: what networks tell untrained, of how well they will learn."""

from diffusionnag.proxies.network_proxies import PROXIES, Batch
from diffusionnag.proxies.scoring import (
    COMBINED,
    USUAL_PROXIES,
    ProxySettings,
    combined_ranks,
    score_architecture,
    score_space,
)
from diffusionnag.proxies.shipped import shipped_proxies

__all__ = [
    "COMBINED",
    "PROXIES",
    "USUAL_PROXIES",
    "Batch",
    "ProxySettings",
    "combined_ranks",
    "score_architecture",
    "score_space",
    "shipped_proxies",
]
