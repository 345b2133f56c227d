"""`diffusionnag tables`: which measured tables there are, and how to get them."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def tables(
    space: Annotated[
        str | None, typer.Argument(help="Search space; those of all spaces if left out.")
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
    # A name that does not fit goes on in the next line; cut short, it could not be copied.
    name_column = Column("table", overflow="fold")
    listing = Table(name_column, "space", "rows", "columns", "source", "installed")
    columns: dict[str, list[str]] = {}
    for known in wanted:
        rows, width, installed = "-", "-", f"no; {known.how_to_get}"
        if (read := known.reader()) is not None:
            try:
                table = read()
            except DiffusionNAGError as error:
                installed = "damaged"
                messages.print(f"{known.name}: {error}", markup=False)
            else:
                rows, width = f"{len(table.architectures):,}", str(len(table.columns))
                installed = "yes"
                columns[known.name] = list(table.columns)
        listing.add_row(known.name, known.space, rows, width, known.source, escape(installed))
    results.print(listing)
    if name is not None:
        for table_name, names in columns.items():
            results.print(f"{table_name}: {', '.join(names)}", markup=False)
    if len(columns) < len(wanted):
        folder = os.environ.get(DATA_FOLDER_VARIABLE) or "not set"
        messages.print(
            f"files are looked for in the folder named by {DATA_FOLDER_VARIABLE} ({folder})",
            markup=False,
        )
