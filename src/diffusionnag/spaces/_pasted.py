"""What users paste as an architecture: white space around, and the objects of other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def without_whitespace(text: str) -> str:
    """Return a text without white space, which means nothing in the strings of the library's spaces."""
    return "".join(text.split())


def pasted_object(text: str) -> Mapping[str, Any] | None:
    """Return the object that a text is in JSON, or as Python writes one; None if it is none."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text.replace("'", '"').replace("None", "null"))
    except (ValueError, RecursionError):
        return None


def whole_numbers(value: Any, count: int) -> list[int] | None:
    """Return a list of so many whole numbers; None if a value is none."""
    if not isinstance(value, list) or len(value) != count:
        return None
    return value if all(type(number) is int for number in value) else None
