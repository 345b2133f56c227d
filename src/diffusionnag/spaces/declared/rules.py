"""Rules of a declared space: the user's own predicates, and what they say when they are broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces.declared.declaration import Predicate


def broken_rule(rules: Sequence[Predicate], operations: Mapping[str, str]) -> str | None:
    """Return what the first rule that is broken asks for, None if all hold.

    `operations` are those of all nodes, by name. Raises DiffusionNAGError for a rule that fails, or
    returns anything but True or False.
    """
    for rule in rules:
        name = getattr(rule, "__name__", repr(rule))
        try:
            holds = rule(operations)
        except Exception as error:  # whatever the user's own code raises
            raise DiffusionNAGError(
                f"the rule {name} failed: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(holds, bool | np.bool_):
            raise DiffusionNAGError(
                f"the rule {name} returned {holds!r}; a rule returns True or False"
            )
        if not holds:
            statement = (rule.__doc__ or "").strip().splitlines()
            return statement[0] if statement else f"it breaks the rule {name}"
    return None
