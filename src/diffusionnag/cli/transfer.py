"""`diffusionnag transfer`: architectures for a new image data set, known by its images alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def transfer(
    space: Annotated[
        str, typer.Argument(help="Search space, or your own: FILE.yaml, FILE.py:NAME.")
    ],
    data: Annotated[
        Path, typer.Option(help="Images: a folder with one folder a class, or a Parquet file.")
    ],
    count: Annotated[int, typer.Option("-n", help="How many architectures.")] = 256,
    guide: Annotated[
        list[str] | None,
        typer.Option(
            help="What to raise besides the accuracy, as generate has it. May be repeated.",
            metavar="NAME_OR_PATH[=WEIGHT]",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Limit that every architecture keeps: 'params<=1.0M', 'accuracy>=70'. May be "
            "repeated.",
            metavar="NAME_OR_PATH<=VALUE",
        ),
    ] = None,
    limit_probability: Annotated[
        float, typer.Option(help="Probability with which predicted properties keep a limit.")
    ] = 0.5,
    solver: Annotated[
        str | None, typer.Option(help="Solver; the generator's own if left out.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver.")] = None,
    top: Annotated[int, typer.Option(help="How many of the best to print.")] = 5,
    seed: Annotated[int, typer.Option(help="Same seed, same images, same architectures.")] = 0,
    distinct: Annotated[bool, typer.Option("--distinct", help="No architecture twice.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write them all into this .jsonl file.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the distribution of accuracy (.png, .svg, .pdf).")
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(help="Folder or hub id of a generator; the shipped one if left out."),
    ] = None,
    predictor: Annotated[
        str | None,
        typer.Option(help="Folder that meta-train wrote; the shipped predictor if left out."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Folder of the image encoder that the predictor learnt from, if it has moved.",
            metavar="NAME_OR_FOLDER",
        ),
    ] = None,
) -> None:
    """Generate architectures for a new image data set, guided by a dataset-aware predictor."""
    from diffusionnag.cli.console import messages, progress_bar
    from diffusionnag.cli.generation import check_output, generate_guided
    from diffusionnag.generation.generator import Generator
    from diffusionnag.generation.request import parse_request
    from diffusionnag.images import read_images
    from diffusionnag.spaces import get_search_space
    from diffusionnag.transfer.dataset_encoding import encode_dataset
    from diffusionnag.transfer.predictor import DatasetAwarePredictor

    search_space = get_search_space(space)
    check_output(top, out, plot)
    aware = DatasetAwarePredictor.from_pretrained(
        predictor or search_space.name, search_space=search_space, image_encoder=encoder
    )
    images = read_images(data)
    with progress_bar() as bar:
        task = bar.add_task("reading images", total=None, note="")
        encoding = encode_dataset(
            images,
            aware.image_encoder,
            seed=seed,
            report=lambda done, of: bar.update(task, completed=done, total=of),
        )
    seen, classes = int(encoding.present.sum()), len(images.classes)
    note = f"; {encoding.skipped} could not be read" if encoding.skipped else ""
    messages.print(f"{data}: {classes} classes, described by {seen} images{note}", markup=False)
    accuracy = aware.for_dataset(encoding)
    request = parse_request(guide or [], limit or [], limit_probability, search_space, accuracy)
    model = Generator.from_pretrained(generator or search_space.name, search_space=search_space)
    generate_guided(
        model, request, count, solver, steps, seed, top=top, distinct=distinct, out=out, plot=plot
    )
