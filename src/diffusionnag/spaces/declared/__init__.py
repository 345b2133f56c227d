"""Declared search spaces: nodes, stages, edges and rules as data, in Python or in a YAML file."""

from diffusionnag.spaces.declared.declaration import Declaration, Edges, Stage
from diffusionnag.spaces.declared.space import declared_space

__all__ = ["Declaration", "Edges", "Stage", "declared_space"]
