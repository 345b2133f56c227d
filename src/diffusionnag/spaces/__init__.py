"""Search spaces: what an architecture is, how it is written, drawn at random, and changed."""

from __future__ import annotations

import difflib
import functools
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from diffusionnag._user_code import import_user_code
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces._checking import check_parts
from diffusionnag.spaces.architecture import UNDECIDED, Architecture, Edge, Validity
from diffusionnag.spaces.conditioned import ConditionedSpace
from diffusionnag.spaces.constrained_decoding import mend_invalid
from diffusionnag.spaces.cost import Cost, Counter
from diffusionnag.spaces.darts import DARTS
from diffusionnag.spaces.declared import Declaration, Edges, Stage, declared_space
from diffusionnag.spaces.fixed_nodes import FixedNodes, fix_nodes
from diffusionnag.spaces.gpt2 import GPT2, GPT2Large, GPT2Medium, GPT2Scale, GPT2Shapes
from diffusionnag.spaces.graph_inputs import Graph
from diffusionnag.spaces.mnasnet import MnasNet
from diffusionnag.spaces.mobilenetv3 import MobileNetV3
from diffusionnag.spaces.mobilenetv3_resolution import MobileNetV3Resolution
from diffusionnag.spaces.nasbench101 import NASBench101
from diffusionnag.spaces.nasbench201 import NASBench201
from diffusionnag.spaces.nasbench_graph import NASBenchGraph
from diffusionnag.spaces.nasbench_macro import NASBenchMacro
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import (
    ImageClassification,
    ImageRegression,
    LanguageModelling,
    NodeClassification,
    OwnTask,
    TabularClassification,
    TabularRegression,
    Task,
    TextClassification,
    is_better,
    task_as_json,
    task_from_json,
)
from diffusionnag.spaces.search_space import SearchSpace, operation_indices
from diffusionnag.spaces.transnas import TransNAS
from diffusionnag.spaces.units import unit
from diffusionnag.spaces.wiring import Condition, Wiring

__all__ = [
    "UNDECIDED",
    "Architecture",
    "Condition",
    "ConditionedSpace",
    "Cost",
    "Counter",
    "Declaration",
    "Edge",
    "Edges",
    "FixedNodes",
    "GPT2Scale",
    "GPT2Shapes",
    "Graph",
    "ImageClassification",
    "ImageRegression",
    "LanguageModelling",
    "NetworkFamily",
    "NodeClassification",
    "OwnTask",
    "SearchSpace",
    "Stage",
    "TabularClassification",
    "TabularRegression",
    "Task",
    "TextClassification",
    "Validity",
    "Wiring",
    "declared_space",
    "fix_nodes",
    "get_search_space",
    "is_better",
    "mend_invalid",
    "operation_indices",
    "register_search_space",
    "search_space_names",
    "task_as_json",
    "task_from_json",
    "unit",
]

YAML_SUFFIXES = (".yaml", ".yml")
ENTRY_POINT_GROUP = "diffusionnag.search_spaces"

_registry: dict[str, type[SearchSpace]] = {
    space.name: space
    for space in (
        NASBench201,
        MobileNetV3,
        MobileNetV3Resolution,
        MnasNet,
        NASBenchGraph,
        NASBench101,
        DARTS,
        TransNAS,
        NASBenchMacro,
        GPT2,
        GPT2Medium,
        GPT2Large,
    )
}


def register_search_space(space: type[SearchSpace] | Declaration) -> type[SearchSpace]:
    """Make a space known by its name, and return its class; usable as a class decorator.

    Raises DiffusionNAGError if the name belongs to another space already.
    """
    if isinstance(space, Declaration):
        space = declared_space(space)
    known = _registry.get(getattr(space, "name", ""))
    if known is not None and known.__qualname__ != space.__qualname__:
        raise DiffusionNAGError(f"a search space named {space.name!r} exists already")
    check_parts(space)
    _registry[space.name] = space
    return space


def search_space_names() -> list[str]:
    """Return the names of all registered spaces, those of installed packages included."""
    installed = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    return [*_registry, *sorted(installed - set(_registry))]


def get_search_space(name: str) -> SearchSpace:
    """Return a space by name, by its declaration `FILE.yaml`, or from code by `FILE.py:NAME`.

    NAME is a class or a `Declaration`; a module may stand in place of the file. Raises
    DiffusionNAGError when there is no such space, and for one that cannot be loaded.
    """
    if name in _registry:
        return _only_one(_registry[name])
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            return register_search_space(_load_installed(point))()
    if name.endswith(YAML_SUFFIXES):
        from diffusionnag.spaces.declared.yaml_file import read_declaration

        return register_search_space(read_declaration(Path(name)))()
    if ":" in name:
        return register_search_space(_load_from_code(name))()
    known = search_space_names()
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    raise DiffusionNAGError(
        f"no search space named {name!r}; {hint} (your own: FILE.yaml or FILE.py:NAME)"
    )


@functools.cache
def _only_one(space: type[SearchSpace]) -> SearchSpace:
    """Return the same object every time: what it has computed of the space stays."""
    return space()


def _load_from_code(reference: str) -> type[SearchSpace] | Declaration:
    module_name, _, name = reference.rpartition(":")
    value = getattr(import_user_code(module_name, reference), name, None)
    return _of_a_space(value, module_name, name)


def _load_installed(point: EntryPoint) -> type[SearchSpace] | Declaration:
    try:
        value = point.load()
    except (Exception, SystemExit) as error:  # whatever somebody else's package raises
        raise DiffusionNAGError(
            f"the search space {point.name} cannot be loaded: {type(error).__name__}: {error}; "
            f"upgrade or remove the package that has {point.module}"
        ) from error
    return _of_a_space(value, point.module, point.attr)


def _of_a_space(value: object, module_name: str, name: str) -> type[SearchSpace] | Declaration:
    if isinstance(value, Declaration) or (
        isinstance(value, type) and issubclass(value, SearchSpace)
    ):
        return value
    raise DiffusionNAGError(
        f"{module_name} defines no class {name!r} derived from SearchSpace, and no Declaration"
    )
