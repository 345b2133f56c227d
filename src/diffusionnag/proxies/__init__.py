"""Training-free proxies: what networks tell untrained, of how well they will learn."""

from diffusionnag.proxies.network_proxies import PROXIES
from diffusionnag.proxies.scoring import (
    AZ_NAS,
    COMBINED,
    FURTHER_PROXIES,
    USUAL_PROXIES,
    ProxySettings,
    combined_ranks,
    score_architecture,
    score_architectures,
    score_space,
    single_scores,
)
from diffusionnag.proxies.shipped import shipped_proxies
from diffusionnag.proxies.untrained import Untrained

__all__ = [
    "AZ_NAS",
    "COMBINED",
    "FURTHER_PROXIES",
    "PROXIES",
    "USUAL_PROXIES",
    "ProxySettings",
    "Untrained",
    "combined_ranks",
    "score_architecture",
    "score_architectures",
    "score_space",
    "shipped_proxies",
    "single_scores",
]
