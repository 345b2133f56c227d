"""Search spaces: what an architecture is, how it is written, drawn at random, and changed."""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.architecture import UNDECIDED, Architecture, Validity
from diffusionnag.spaces.darts import DARTS
from diffusionnag.spaces.declaration import check_declaration
from diffusionnag.spaces.mnasnet import MnasNet
from diffusionnag.spaces.mobilenetv3 import MobileNetV3
from diffusionnag.spaces.nasbench101 import NASBench101
from diffusionnag.spaces.nasbench201 import NASBench201
from diffusionnag.spaces.nasbench_graph import NASBenchGraph
from diffusionnag.spaces.search_space import SearchSpace
from diffusionnag.user_code import import_user_code

__all__ = [
    "UNDECIDED",
    "Architecture",
    "SearchSpace",
    "Validity",
    "get_search_space",
    "register_search_space",
    "search_space_names",
]

ENTRY_POINT_GROUP = "diffusionnag.search_spaces"

_registry: dict[str, type[SearchSpace]] = {
    space.name: space
    for space in (NASBench201, MobileNetV3, MnasNet, NASBenchGraph, NASBench101, DARTS)
}


def register_search_space(space: type[SearchSpace]) -> type[SearchSpace]:
    """Make a space known by its name; usable as a class decorator.

    Raises DiffusionNAGError if the name belongs to another space already.
    """
    known = _registry.get(getattr(space, "name", ""))
    if known is not None and known.__qualname__ != space.__qualname__:
        raise DiffusionNAGError(f"a search space named {space.name!r} exists already")
    check_declaration(space)
    _registry[space.name] = space
    return space


def search_space_names() -> list[str]:
    """Return the names of all registered spaces, those of installed packages included."""
    installed = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    return [*_registry, *sorted(installed - set(_registry))]


def get_search_space(name: str) -> SearchSpace:
    """Return a space by name, or from the user's own code by `FILE.py:Class` or `module:Class`.

    Raises DiffusionNAGError when there is no such space.
    """
    if name in _registry:
        return _registry[name]()
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            return register_search_space(point.load())()
    if ":" in name:
        return _load_from_code(name)()
    known = search_space_names()
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    raise DiffusionNAGError(f"no search space named {name!r}; {hint} (your own: FILE.py:ClassName)")


def _load_from_code(reference: str) -> type[SearchSpace]:
    module_name, _, class_name = reference.rpartition(":")
    found = getattr(import_user_code(module_name, reference), class_name, None)
    if not (isinstance(found, type) and issubclass(found, SearchSpace)):
        raise DiffusionNAGError(
            f"{module_name} defines no class {class_name!r} derived from SearchSpace"
        )
    return register_search_space(found)
