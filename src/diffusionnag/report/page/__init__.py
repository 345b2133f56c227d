"""A folder of runs as one page of HTML that needs nothing but a browser."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from diffusionnag import __version__
from diffusionnag._files import write_atomically
from diffusionnag.artifacts.model_cards import today
from diffusionnag.report.page._architectures_section import architectures_section
from diffusionnag.report.page._comparison_section import comparison_section
from diffusionnag.report.page._model_section import model_section
from diffusionnag.report.page._run_folder import (
    Entry,
    Model,
    NamedComparison,
    RunFolder,
    read_run_folder,
)
from diffusionnag.report.page._section import Section
from diffusionnag.spaces import SearchSpace

__all__ = ["RunFolder", "read_run_folder", "write_page"]


def write_page(
    folder: RunFolder, path: Path, *, top: int = 6, space: SearchSpace | None = None
) -> None:
    """Write what a folder holds as a page, with drawings of the `top` best of each set.

    Architectures of a space of the user's own are drawn where `space` is that. Raises
    EnvironmentFailureError for a path that cannot be written.
    """
    # Whatever a file says is escaped: it may come from anywhere.
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    sections = [
        _section(entry, f"part-{number}", top, space)
        for number, entry in enumerate(folder.entries, start=1)
    ]
    text = templates.get_template("page.html").render(
        folder=folder, sections=sections, date=today(), version=__version__
    )
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")


def _section(entry: Entry, anchor: str, top: int, space: SearchSpace | None) -> Section:
    if isinstance(entry, Model):
        return model_section(entry, anchor, space)
    if isinstance(entry, NamedComparison):
        return comparison_section(entry, anchor, space)
    return architectures_section(entry, anchor, top, space)
