"""DiffusionNAG: generate neural network architectures that have the properties you ask for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.generation.generator import Generator
    from diffusionnag.generation.samples import Samples
    from diffusionnag.predictors.property_predictor import PropertyPredictor
    from diffusionnag.spaces import (
        Architecture,
        SearchSpace,
        get_search_space,
        register_search_space,
    )

__version__ = "0.1.0"

__all__ = [
    "Architecture",
    "DiffusionNAGError",
    "Generator",
    "PropertyPredictor",
    "Samples",
    "SearchSpace",
    "get_search_space",
    "register_search_space",
]

_HOMES = {
    "Architecture": "diffusionnag.spaces",
    "DiffusionNAGError": "diffusionnag.errors",
    "Generator": "diffusionnag.generation.generator",
    "PropertyPredictor": "diffusionnag.predictors.property_predictor",
    "Samples": "diffusionnag.generation.samples",
    "SearchSpace": "diffusionnag.spaces",
    "get_search_space": "diffusionnag.spaces",
    "register_search_space": "diffusionnag.spaces",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: torch takes a second, and `diffusionnag --help` should not wait for it.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'diffusionnag' has no attribute {name!r}")
