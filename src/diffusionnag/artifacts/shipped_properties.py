"""What the predictors of the package predict of the architectures of a space."""

from __future__ import annotations

from diffusionnag.artifacts.checkpoints import (
    installed_folder,
    predicted_property,
    read_config,
    shipped_names,
)
from diffusionnag.spaces import ConditionedSpace, SearchSpace

KIND = "predictors"


def shipped_properties(space: SearchSpace) -> list[str]:
    """Return the properties that shipped predictors predict of a space, in the order of their names.

    Where a node holds a condition, they are besides those of the inner space that depend on it.
    """
    properties = list(map(predicted_property, shipped_names(KIND, space.name)))
    if isinstance(space, ConditionedSpace):
        properties += properties_under(space)
    return properties


def properties_under(space: ConditionedSpace) -> list[str]:
    """Return what shipped predictors of the inner space predict under its condition."""
    return [
        predicted_property(name)
        for name in shipped_names(KIND, space.inner.name)
        if space.condition in _conditions(name)
    ]


def _conditions(name: str) -> list[str]:
    folder = installed_folder(KIND, name)
    assert folder is not None
    return read_config(folder)["model"].get("conditions", [])
