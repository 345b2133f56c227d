"""Architectures of a page: which space their strings belong to, and what they look like."""

from __future__ import annotations

from functools import partial

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report.drawing import draw_picture
from diffusionnag.report.page.picture import Picture, draw_inline
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space, search_space_names


def find_space(text: str, stated: str | None, own: SearchSpace | None) -> SearchSpace | None:
    """Return the space of an architecture's string: the stated one, or else any that reads it.

    None where there is none. A space of the user's own is only ever `own`: to load another one
    because a file names it would run its code.
    """
    known = [get_search_space(name) for name in search_space_names() if stated in (None, name)]
    candidates = known if own is None else [own, *known]
    fitting = (one for one in candidates if stated in (None, one.name) and _parse(one, text))
    return next(fitting, None)


def draw_architecture(space: SearchSpace, text: str) -> Picture | None:
    """Return the drawing of an architecture, None where the string is none of the space."""
    architecture = _parse(space, text)
    if architecture is None:
        return None
    return draw_inline(partial(draw_picture, space, architecture), f"Architecture {text}")


def _parse(space: SearchSpace, text: str) -> Architecture | None:
    try:
        return space.parse(text)
    except DiffusionNAGError:
        return None
