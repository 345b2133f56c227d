"""`diffusionnag spaces` and `diffusionnag info`: what there is, and what an architecture looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAMED_PREDICTORS = 4


def spaces() -> None:
    """List the search spaces, with their sizes and shipped models."""
    from rich.table import Table

    from diffusionnag.artifacts.checkpoints import shipped_names
    from diffusionnag.cli.console import results
    from diffusionnag.spaces import get_search_space, search_space_names

    table = Table("space", "architectures", "nodes", "operations", "generator", "predictors")
    for name in search_space_names():
        space = get_search_space(name)
        size = f"{space.size:,}" if space.size < 1e6 else f"{space.size:.1e}"
        generator = "shipped" if name in shipped_names("generators", name) else "-"
        predictors = [one.removeprefix(f"{name}-") for one in shipped_names("predictors", name)]
        row = (str(len(space.nodes)), str(len(space.operations)), generator)
        shown = ", ".join(predictors[:NAMED_PREDICTORS]) or "-"
        if len(predictors) > NAMED_PREDICTORS:
            shown += f" and {len(predictors) - NAMED_PREDICTORS} more (diffusionnag info {name})"
        table.add_row(name, size, *row, shown)
    results.print(table)


def info(
    space: Annotated[
        str, typer.Argument(help="Search space, or your own: FILE.yaml, FILE.py:NAME.")
    ],
    architecture: Annotated[
        str | None, typer.Argument(help="Architecture string; a random one if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Draw it into this file (.svg, .png or .pdf).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random architecture.")] = 0,
) -> None:
    """Describe a search space and draw an architecture of it, as text and as a picture."""
    from diffusionnag.artifacts.checkpoints import own_names, predicted_property, shipped_names
    from diffusionnag.cli.console import messages, results
    from diffusionnag.report import draw_picture, draw_text
    from diffusionnag.spaces import get_search_space
    from diffusionnag.spaces.cost import unit
    from diffusionnag.tables import known_tables

    search_space = get_search_space(space)
    if architecture is None:
        description = (search_space.__doc__ or "").strip()
        results.print(f"{search_space.name}: {description}\n", markup=False)
        for origin, predictors in {
            "shipped predictors": shipped_names("predictors", search_space.name),
            "predictors about this machine": own_names("predictors", search_space.name),
        }.items():
            if predictors:
                names = ", ".join(map(predicted_property, predictors))
                results.print(f"{origin}: {names}\n", markup=False)
        chosen = search_space.sample(1, seed)[0]
    else:
        chosen = search_space.parse(architecture)
    text = search_space.format(chosen)
    results.print(text, markup=False)
    results.print(draw_text(search_space, chosen), markup=False)
    for name, value in search_space.analytic_properties(chosen).items():
        results.print(f"{name}: {value:.3f}{unit(name)}", markup=False)
    for read in known_tables(search_space.name).values():
        table = read()
        for column in table.columns:
            value = table.lookup(column, [text])[0]
            if value == value:
                results.print(f"{column}: {value:.2f} ({table.name})")
    if out is not None:
        draw_picture(search_space, chosen, out)
        messages.print(f"drawn into {out}")
