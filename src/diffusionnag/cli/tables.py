"""`diffusionnag tables`: which measured tables there are, and how to get them."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def tables(
    space: Annotated[
        str | None,
        typer.Argument(help="Search space, whose tables are opened; those of all if left out."),
    ] = None,
) -> None:
    """List the measured tables of the search spaces, and how to get those that are missing."""
    from rich.markup import escape
    from rich.table import Column, Table

    from diffusionnag.cli.console import messages, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.spaces import get_search_space
    from diffusionnag.tables import DATA_FOLDER_VARIABLE, TABLES

    name = None if space is None else get_search_space(space).name
    wanted = [known for known in TABLES if name in (None, known.space)]
    if not wanted:
        messages.print(f"no measured table of {name} is known", markup=False)
        return
    columns: dict[str, list[str]] = {}
    # A name that does not fit goes on in the next line; cut short, it could not be copied.
    listing = Table(Column("table", overflow="fold"), "space", "source", "installed")
    missing = False
    for known in wanted:
        installed = "yes"
        if (read := known.reader()) is None:
            missing, installed = True, f"no; {known.how_to_get}"
        # Reading all tables takes seconds: only those of one space are opened.
        elif name is not None:
            try:
                table = read()
                installed = f"{len(table.architectures):,} rows, {len(table.columns)} columns"
                columns[known.name] = list(table.columns)
            except DiffusionNAGError as error:
                installed = "damaged"
                messages.print(f"{known.name}: {error}", markup=False)
        listing.add_row(known.name, known.space, known.source, escape(installed))
    results.print(listing)
    for table_name, names in columns.items():
        results.print(f"{table_name}: {', '.join(names)}", markup=False)
    if missing:
        folder = os.environ.get(DATA_FOLDER_VARIABLE) or "not set"
        messages.print(
            f"files are looked for in the folder named by {DATA_FOLDER_VARIABLE} ({folder})",
            markup=False,
        )
