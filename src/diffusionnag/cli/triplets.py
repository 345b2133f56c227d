"""`diffusionnag triplets`: what a search has measured, for `meta-train` to learn from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffusionnag.cli.options import Space


def triplets(
    space: Space,
    storage: Annotated[str, typer.Option(help="Where search kept the study.", metavar="URL")],
    images: Annotated[
        str,
        typer.Option(help="Images that were trained on: a folder of classes or a Parquet file."),
    ],
    out: Annotated[Path, typer.Option(help="Parquet file of triplets to write.")],
    study: Annotated[
        str | None, typer.Option(help="Name of the study; the only one if left out.")
    ] = None,
    accuracy: Annotated[
        str | None,
        typer.Option(
            help="Name of the measured value that is the accuracy in %; the only objective if left "
            "out."
        ),
    ] = None,
) -> None:
    """Write the architectures and accuracies of a study as triplets of its data set."""
    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import messages

    require_packages("search", "optuna", "botorch")
    from diffusionnag.images import read_images
    from diffusionnag.search.study import measured_values, read_study
    from diffusionnag.spaces import get_search_space
    from diffusionnag.tables.table import check_table_path
    from diffusionnag.transfer.triplets import FEWEST_TRIPLETS, write_triplets

    search_space = get_search_space(space)
    check_table_path(out)
    classes = read_images(images).classes
    architectures, accuracies = measured_values(read_study(storage, study), search_space, accuracy)
    write_triplets(out, search_space, architectures, accuracies, classes)
    written = f"written to {out}: {len(architectures)} architectures, {len(classes)} classes"
    words = (
        "meta-train",
        space,
        "--triplets",
        str(out),
        "--images",
        str(images),
        "--out",
        "FOLDER",
    )
    learning = shlex.join(("diffusionnag", *words))
    if len(architectures) < FEWEST_TRIPLETS:
        hint = f"measure more, or add other files: at least {FEWEST_TRIPLETS} are learnt from"
    else:
        hint = f"learn from them with: {learning}"
    messages.print(f"{written}; {hint}", markup=False)
