"""The predictor of training-free proxies that ships for a search space, where one does."""

from __future__ import annotations

from diffusionnag.artifacts.checkpoints import checkpoint_name, shipped_names
from diffusionnag.predictors import KIND, PropertyPredictor
from diffusionnag.proxies.scoring import COMBINED
from diffusionnag.spaces import SearchSpace


def shipped_proxies(space: SearchSpace) -> list[PropertyPredictor]:
    """Return the shipped predictor of the space's proxies as the only item, or nothing."""
    if checkpoint_name(space.name, COMBINED) not in shipped_names(KIND):
        return []
    return [PropertyPredictor.from_pretrained(COMBINED, search_space=space)]
