"""DiffusionNAG: generate neural network architectures that have the properties you ask for."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from diffusionnag._lazy_names import lazy_names

if TYPE_CHECKING:
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.generation import (
        GenerationResult,
        Generator,
        Samples,
        Sampling,
        Strength,
        generate,
        transfer,
    )
    from diffusionnag.guidance import AnalyticProperty, limit, maximize, minimize, target
    from diffusionnag.predictors import PropertyPredictor
    from diffusionnag.search import search
    from diffusionnag.spaces import (
        Architecture,
        SearchSpace,
        get_search_space,
        register_search_space,
    )

__version__ = "0.1.0"

# Threads of torch that wait by spinning starve each other on a busy machine: a training step was seen
# to take twenty times as long. It is read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = [
    "AnalyticProperty",
    "Architecture",
    "DiffusionNAGError",
    "GenerationResult",
    "Generator",
    "PropertyPredictor",
    "Samples",
    "Sampling",
    "SearchSpace",
    "Strength",
    "generate",
    "get_search_space",
    "limit",
    "maximize",
    "minimize",
    "register_search_space",
    "search",
    "target",
    "transfer",
]

_HOMES = {
    "errors": ("DiffusionNAGError",),
    "generation": ("GenerationResult", "Generator", "Samples", "Sampling", "Strength", "generate"),
    "guidance": ("AnalyticProperty", "limit", "maximize", "minimize", "target"),
    "predictors": ("PropertyPredictor",),
    "spaces": ("Architecture", "SearchSpace", "get_search_space", "register_search_space"),
}
"""Where each public name is at home; `search` and `transfer` are packages that can be called."""


_load = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name in ("search", "transfer"):
        return importlib.import_module(f"{__name__}.{name}")
    return _load(name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
