"""JSON read as what it should be: dataclasses, whose type hints are the schema."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from diffusionnag.errors import DiffusionNAGError


def from_json(kind: Any, value: Any, where: str) -> Any:
    """Return a JSON value as the type that it should be of.

    A type is a dataclass of types, a sequence, a mapping from names, an alternative, a `Literal`,
    `Any`, or one of bool, int, float and str. A whole number serves as a float, nothing else for
    anything else. Raises DiffusionNAGError that says `where` which part is wrong.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, value, where)
    if origin in (Union, types.UnionType):
        return _alternative(arguments, value, where)
    if origin is Literal and value in arguments:
        return value
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {
            name: from_json(arguments[1], part, f"{where}.{name}") for name, part in value.items()
        }
    if origin in (list, tuple, Sequence) and isinstance(value, list | tuple):
        items = [from_json(arguments[0], item, f"{where}[{n}]") for n, item in enumerate(value)]
        return tuple(items) if origin is tuple else items
    if kind is float and type(value) is int and abs(value) < 2**63:
        return value
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not kind or (kind is int and abs(value) >= 2**63):
        raise DiffusionNAGError(f"{where[:100]} should be {_name(kind)}")
    return value


def _dataclass(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise DiffusionNAGError(f"{where[:100]} should be an object")
    hints = get_type_hints(kind)
    needed = [
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    for name in (*needed, *value):
        if name not in value or name not in hints:
            wrong = "lacks" if name not in value else "has an unknown"
            raise DiffusionNAGError(f"{where[:100]} {wrong} {name[:50]!r}")
    return kind(
        **{name: from_json(hints[name], part, f"{where}.{name}") for name, part in value.items()}
    )


def _alternative(kinds: Sequence[Any], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    *others, last = (kind for kind in kinds if kind is not type(None))
    for kind in others:
        try:
            return from_json(kind, value, where)
        except DiffusionNAGError:
            continue
    return from_json(last, value, where)


def _name(kind: Any) -> str:
    names = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    return names.get(kind) or ("an object" if get_origin(kind) in (dict, Mapping) else "a list")
