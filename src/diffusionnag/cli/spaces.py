"""`diffusionnag spaces`: the search spaces there are, with their models."""

from __future__ import annotations

NAMED_PREDICTORS = 4


def spaces() -> None:
    """List the search spaces, with their sizes and shipped models."""
    from rich.table import Table

    from diffusionnag.artifacts.checkpoints import shipped_names
    from diffusionnag.artifacts.shipped_properties import shipped_properties
    from diffusionnag.cli.console import messages, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.spaces import get_search_space, search_space_names

    table = Table("space", "architectures", "nodes", "operations", "generator", "predictors")
    for name in search_space_names():
        try:
            space = get_search_space(name)
        except DiffusionNAGError as error:  # a package that somebody installed is broken
            messages.print(f"{error}", markup=False)
            continue
        size = f"{space.size:,}" if space.size < 1e6 else f"{space.size:.1e}"
        generator = "shipped" if name in shipped_names("generators", name) else "-"
        predictors = shipped_properties(space)
        row = (str(len(space.nodes)), str(len(space.operations)), generator)
        shown = ", ".join(predictors[:NAMED_PREDICTORS]) or "-"
        if len(predictors) > NAMED_PREDICTORS:
            shown += f" and {len(predictors) - NAMED_PREDICTORS} more (diffusionnag info {name})"
        table.add_row(name, size, *row, shown)
    results.print(table)
