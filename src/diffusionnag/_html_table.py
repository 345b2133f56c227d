"""Tables of architectures as HTML, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

SHOWN = 10
"""Architectures that a notebook shows."""


def html_table(
    caption: str, names: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]
) -> str:
    """Return a caption and a table: of each row an architecture's string and a cell for each name."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("architecture", *names))
    body = "".join(
        f"<tr><td><code>{html.escape(architecture)}</code></td>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for architecture, cells in rows
    )
    return (
        f"<p>{html.escape(caption)}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
