"""Declarations in YAML files: plain data, from which no code runs but the files that rules name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from diffusionnag._user_code import import_user_code
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.spaces.declared.declaration import (
    CHAIN,
    Declaration,
    Edges,
    Link,
    Stage,
)
from diffusionnag.spaces.network_tasks import ImageClassification, task_from_json

OPTIONAL = ("description", "edges", "rules", "network", "shared_names", "task")
"""What a file may have beside `name` and `nodes`."""


def read_declaration(path: Path) -> Declaration:
    """Return the declaration in a YAML file.

    Raises DiffusionNAGError, naming the file and what is wrong in it, when there is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        # BaseLoader leaves scalars as they are written: `no` and `012` are good names of operations.
        _refuse_repeated_keys(yaml.compose(text, Loader=yaml.BaseLoader))
        return _declaration(yaml.load(text, Loader=yaml.BaseLoader), path)
    except FileNotFoundError as error:
        raise DiffusionNAGError(f"no file {path}") from error
    except OSError as error:
        raise EnvironmentFailureError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise DiffusionNAGError(f"{path} is no YAML file: {reason}") from error
    except DiffusionNAGError as error:
        raise DiffusionNAGError(f"{path}: {error}") from error


def _refuse_repeated_keys(node: yaml.Node | None) -> None:
    # PyYAML keeps the last of them without a word.
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise DiffusionNAGError(f"line {key.start_mark.line + 1} repeats {name!r}")
            seen.add(name)
            _refuse_repeated_keys(value)


def _declaration(content: Any, path: Path) -> Declaration:
    entries = _mapping(content, "the file", ("name", "nodes"), OPTIONAL)
    nodes = _mapping(entries["nodes"], "`nodes`")
    rules = _texts(entries.get("rules", []), "`rules`")
    functions = {
        name: _function(_text(entries[name], f"`{name}`"), path.parent, name)
        for name in ("network", "shared_names")
        if name in entries
    }
    task = _mapping(entries["task"], "`task`") if "task" in entries else None
    return Declaration(
        name=_text(entries["name"], "`name`"),
        nodes={name: _node(value, name) for name, value in nodes.items()},
        edges=_edges(entries["edges"]) if "edges" in entries else CHAIN,
        rules=[_function(rule, path.parent, "rule") for rule in rules],
        **functions,
        task=ImageClassification() if task is None else task_from_json(task),
        description=_text(entries.get("description", path.name), "`description`"),
    )


def _node(value: Any, name: str) -> list[str] | Stage:
    if not isinstance(value, dict):
        return _texts(value, f"node {name}")
    where = f"stage {name}"
    stage = _mapping(value, where, required=("layer", "depths"))
    layer = _mapping(stage["layer"], f"`layer` of {where}")
    depths = _list(stage["depths"], f"`depths` of {where}")
    return Stage(
        {part: _texts(names, f"node {part} of {where}") for part, names in layer.items()},
        [_number(depth, f"`depths` of {where}") for depth in depths],
    )


def _edges(value: Any) -> Edges:
    entries = _mapping(value, "`edges`", optional=("fixed", "free", "inputs"))
    fixed, free = entries.get("fixed", []), entries.get("free", [])
    return Edges(
        fixed="chain" if fixed == "chain" else _links(fixed, "`fixed` (or `chain`)"),
        free="all" if free == "all" else _links(free, "`free` (or `all`)"),
        inputs=_number(entries.get("inputs", "0"), "`inputs`"),
    )


def _links(value: Any, where: str) -> list[Link]:
    pairs = [_texts(pair, f"an edge in {where}") for pair in _list(value, where)]
    for pair in pairs:
        if len(pair) != 2:
            raise DiffusionNAGError(f"an edge in {where} has {len(pair)} nodes: [from, to] has two")
    return [(source, target) for source, target in pairs]


def _function(reference: str, folder: Path, what: str) -> Callable[..., Any]:
    """Return the function that `FILE.py:FUNCTION` names, the file lying in `folder`."""
    file, _, name = reference.rpartition(":")
    if not file.endswith(".py"):
        raise DiffusionNAGError(f"{reference!r} is no {what}; a {what} is FILE.py:FUNCTION")
    function = getattr(import_user_code(str(folder / file), reference), name, None)
    if not callable(function):
        raise DiffusionNAGError(f"{file} defines no function {name!r}")
    return function


def _mapping(
    value: Any, where: str, required: Sequence[str] = (), optional: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return a mapping; with `required` or `optional` keys it has no others."""
    if not isinstance(value, dict):
        raise DiffusionNAGError(f"{where} needs entries, `key: value`, not {value!r}")
    missing = [key for key in required if key not in value]
    if missing:
        raise DiffusionNAGError(f"{where} has no `{missing[0]}`")
    known = [*required, *(optional or ())]
    unknown = [key for key in value if key not in known]
    if unknown and known:
        raise DiffusionNAGError(
            f"{where} has an unknown key {unknown[0]!r}; {', '.join(known)} are known"
        )
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise DiffusionNAGError(f"{where} needs a list, [a, b], not {value!r}")
    return value


def _texts(value: Any, where: str) -> list[str]:
    return [_text(item, where) for item in _list(value, where)]


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise DiffusionNAGError(f"{where} has {value!r} where a text should be")
    return value


def _number(value: Any, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", _text(value, where)):
        raise DiffusionNAGError(f"{where} has {value!r} where a whole number should be")
    return int(value)
