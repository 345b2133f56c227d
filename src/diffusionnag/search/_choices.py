"""What is chosen by its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from diffusionnag.errors import DiffusionNAGError


def check_choice(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise DiffusionNAGError, with the nearest of the known names, for any other name."""
    names = list(known)
    if name in names:
        return
    folded = {known_name.casefold(): known_name for known_name in names}
    nearest = difflib.get_close_matches(name.casefold(), folded, n=1)
    hint = f"did you mean {folded[nearest[0]]}?" if nearest else f"known: {', '.join(names)}"
    raise DiffusionNAGError(f"no {kind} named {name!r}; {hint}")
