"""`diffusionnag info`: a search space in words, and what an architecture of it looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusionnag.cli.options import Seed, Space

if TYPE_CHECKING:
    from diffusionnag.spaces import Architecture, SearchSpace


def info(
    space: Space,
    architecture: Annotated[
        str | None, typer.Argument(help="Architecture string; a random one if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Draw it into this file (.svg, .png or .pdf).")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Describe a search space and draw an architecture of it, as text and as a picture.

    Of an architecture that is named, the network is counted and what was measured is looked up.
    """
    from diffusionnag.artifacts.checkpoints import own_names, predicted_property
    from diffusionnag.artifacts.shipped_properties import shipped_properties
    from diffusionnag.cli.console import messages, results
    from diffusionnag.report import draw_picture, draw_text
    from diffusionnag.spaces import get_search_space, unit

    search_space = get_search_space(space)
    if architecture is None:
        description = (search_space.__doc__ or "").strip()
        results.print(f"{search_space.name}: {description}\n", markup=False)
        own = map(predicted_property, own_names("predictors", search_space.name))
        for origin, properties in {
            "shipped predictors": shipped_properties(search_space),
            "predictors about this machine": list(own),
        }.items():
            if properties:
                results.print(f"{origin}: {', '.join(properties)}\n", markup=False)
        chosen = search_space.sample(1, seed)[0]
    else:
        chosen = search_space.parse(architecture)
    results.print(search_space.format(chosen), markup=False)
    results.print(draw_text(search_space, chosen), markup=False)
    for name, value in search_space.analytic_properties(chosen).items():
        results.print(f"{name}: {value:.3f}{unit(name)}", markup=False)
    if architecture is not None:
        _print_counts_and_measurements(search_space, chosen)
    if out is not None:
        draw_picture(search_space, chosen, out)
        messages.print(f"drawn into {out}")


def _print_counts_and_measurements(search_space: SearchSpace, architecture: Architecture) -> None:
    # Counting a network takes torch, and looking up a table: seconds, which a description need not.
    from diffusionnag.cli.console import messages, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.networks import count_properties, counted_names
    from diffusionnag.spaces import unit
    from diffusionnag.tables import known_tables

    if names := counted_names(search_space):
        try:
            counted = count_properties(search_space, architecture)
            for name in names:
                results.print(f"{name}: {counted[name]:.4g}{unit(name)}", markup=False)
        except DiffusionNAGError as error:
            messages.print(" ".join(str(error).split()), markup=False)
    text = search_space.format(architecture)
    for read in known_tables(search_space.name).values():
        table = read()
        for column in table.measured_names:
            value = table.lookup(column, [text])[0]
            if value == value:
                results.print(f"{column}: {value:.2f} ({table.name})")
