"""`diffusionnag report`: a folder of runs as one page of HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PAGE = "report.html"


def report(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder with what other commands wrote: architectures, studies, trained models."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The page; report.html in the folder if left out.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many of the best to draw.")] = 6,
    space: Annotated[
        str | None, typer.Option(help="FILE.yaml or FILE.py:NAME of your own space.")
    ] = None,
) -> None:
    """Show what a folder of runs holds as one page: what was asked, and what came out."""
    from diffusionnag._files import check_writable
    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import messages
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.spaces import get_search_space

    require_packages("report", "matplotlib", "jinja2", "scipy")
    from diffusionnag.report.page import read_run_folder, write_page

    if top < 0:
        raise DiffusionNAGError(f"--top is {top}; it must be 0 or more")
    if not folder.is_dir():
        raise DiffusionNAGError(f"there is no folder {folder}")
    path = out or folder / PAGE
    check_writable(path)
    own = None if space is None else get_search_space(space)
    with messages.status("drawing"):
        runs = read_run_folder(folder)
        write_page(runs, path, top=top, space=own)
    for line in runs.left_out:
        messages.print(f"left out {line}", markup=False)
    messages.print(f"written to {path}", markup=False)
