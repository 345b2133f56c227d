"""Pictures inside a page, and architectures among them: SVG in the page's colours, light or dark."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report._figure import GREY, INK, PALE
from diffusionnag.report.architecture_picture import COLOURS as TINTS
from diffusionnag.report.architecture_picture import FAINT, GIVEN, draw_picture
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space, search_space_names

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ROLES = {INK: "ink", GREY: "grey", PALE: "pale", FAINT: "faint", "#FFFFFF": "paper"}
"""Colours that stand for something in every picture, and what the page calls them."""


@dataclass(frozen=True)
class Picture:
    """An SVG element as text, and a sentence for those who cannot see it, which it holds as well."""

    svg: str
    alt: str


def draw_inline(draw: Callable[[Path], None], alt: str) -> Picture:
    """Return what `draw` writes into an SVG file as an element of a page.

    Raises what `draw` raises.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.svg"
        draw(path)
        text = path.read_text(encoding="utf-8")
    # Two pictures of one page must not share the names of their parts.
    prefix = f"p{hashlib.sha256(text.encode()).hexdigest()[:8]}-"
    return Picture(_inline(text, alt, prefix), alt)


def find_space(text: str, stated: str | None, own: SearchSpace | None) -> SearchSpace | None:
    """Return the space of an architecture's string: the stated one, or else any that reads it.

    None where there is none. A space of the user's own is only ever `own`: to load another one
    because a file names it would run its code.
    """
    candidates = [] if own is None else [own]
    for name in search_space_names():
        if stated in (None, name):
            # One that somebody else's package brings may fail; then it is no help.
            with suppress(DiffusionNAGError):
                candidates.append(get_search_space(name))
    fitting = (
        space for space in candidates if stated in (None, space.name) and _parse(space, text)
    )
    return next(fitting, None)


def draw_architecture(space: SearchSpace, text: str) -> Picture | None:
    """Return the drawing of an architecture, None where the string is none of the space."""
    architecture = _parse(space, text)
    if architecture is None:
        return None
    return draw_inline(partial(draw_picture, space, architecture), f"Architecture {text}")


def _inline(text: str, alt: str, prefix: str) -> str:
    root = ElementTree.fromstring(text)
    for element in list(root):
        if element.tag == f"{{{SVG}}}metadata" or element.find(f"{{{SVG}}}style") is not None:
            root.remove(element)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, prefix + value)
            elif name == f"{{{XLINK}}}href":
                element.set(name, value.replace("#", f"#{prefix}", 1))
            else:
                value = value.replace("url(#", f"url(#{prefix}")
                element.set(name, re.sub("#[0-9a-f]{6}", _themed, value))
    root.attrib.pop("height")
    root.set("style", f"--width: {root.attrib.pop('width')}")
    root.set("role", "img")
    root.set("aria-label", alt)
    title = ElementTree.Element(f"{{{SVG}}}title")
    title.text = alt
    root.insert(0, title)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _themed(match: re.Match[str]) -> str:
    """Return a colour as the page's style sheet knows it, which decides between light and dark."""
    colour = match[0].upper()
    if colour in ROLES:
        return f"var(--{ROLES[colour]})"
    if colour in (*TINTS, GIVEN):
        return f"color-mix(in srgb, {colour} var(--tint), var(--paper))"
    return f"color-mix(in srgb, {colour} var(--shade), var(--ink))"


def _parse(space: SearchSpace, text: str) -> Architecture | None:
    try:
        return space.parse(text)
    except DiffusionNAGError:
        return None
