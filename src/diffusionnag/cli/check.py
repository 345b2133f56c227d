"""`diffusionnag check`: whether the networks of a space can be built, and how large they are."""

from __future__ import annotations

from typing import Annotated

import typer

from diffusionnag.cli.options import Seed, Space

SHOWN = 5


def check(
    space: Space,
    count: Annotated[int, typer.Option("-n", help="How many random architectures.")] = 200,
    seed: Seed = 0,
) -> None:
    """Build random networks of a space of your own: what fails, how long it takes, how large they are."""
    import numpy as np

    from diffusionnag.cli.console import progress_bar, results
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.networks import check_builder
    from diffusionnag.spaces import get_search_space, unit

    if count < 1:
        raise DiffusionNAGError(f"-n is {count}; it must be at least 1")
    search_space = get_search_space(space)
    with progress_bar() as bar:
        building = bar.add_task("building", total=count, note="")
        checked = check_builder(
            search_space,
            count,
            seed=seed,
            report=lambda done, total: bar.update(building, completed=done, total=total),
        )
    total = checked.built + len(checked.failed)
    if not checked.built:
        raise DiffusionNAGError(f"none of {total} networks can be built; {checked.failed[0][1]}")
    results.print(
        f"{total} random architectures of {search_space.name}: {checked.built} built, "
        f"{len(checked.failed)} failed, in {checked.seconds:.1f} s"
    )
    for _, reason in checked.failed[:SHOWN]:
        results.print(f"failed: {reason}", markup=False)
    if len(checked.failed) > SHOWN:
        results.print(f"and {len(checked.failed) - SHOWN} more")
    for name, values in checked.counts.items():
        least, middle, most = (f"{value:.4g}" for value in np.quantile(values, (0, 0.5, 1)))
        results.print(f"{name}: {least} to {most}{unit(name)}, median {middle}", markup=False)
