"""Proposers: what to measure next, from what was measured."""

from diffusionnag.search.proposers._acquisition import ACQUISITIONS, acquire
from diffusionnag.search.proposers._draws import Unseen, draw_apart, draw_untaken
from diffusionnag.search.proposers._learned import (
    MAGNITUDE,
    gaussian_process,
    informed_process,
    representative,
)
from diffusionnag.search.proposers._outlook import Outlook
from diffusionnag.search.proposers._proposer import CANDIDATES, STRATEGIES, Proposer, Proposes

__all__ = [
    "ACQUISITIONS",
    "CANDIDATES",
    "MAGNITUDE",
    "STRATEGIES",
    "Outlook",
    "Proposer",
    "Proposes",
    "Unseen",
    "acquire",
    "draw_apart",
    "draw_untaken",
    "gaussian_process",
    "informed_process",
    "representative",
]
