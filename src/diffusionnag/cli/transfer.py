"""`diffusionnag transfer`: architectures for a new image data set, known by its images alone."""

from __future__ import annotations

from typing import Annotated

import typer

from diffusionnag.cli.options import (
    Cautious,
    Conditions,
    Count,
    Distinct,
    Diverse,
    Fixed,
    GeneratorName,
    Images,
    LimitProbability,
    Limits,
    Out,
    Plot,
    Sample,
    Seconds,
    Seed,
    Solver,
    Space,
    Steps,
    Top,
)


def transfer(
    space: Space,
    data: Images,
    count: Count = 256,
    guide: Annotated[
        list[str] | None,
        typer.Option(
            help="What to raise besides the accuracy, as generate has it. May be repeated.",
            metavar="NAME_OR_PATH[=WEIGHT]",
        ),
    ] = None,
    limit: Limits = None,
    limit_probability: LimitProbability = 0.5,
    fixed: Fixed = None,
    condition: Conditions = None,
    solver: Solver = None,
    steps: Steps = None,
    top: Top = 5,
    seed: Seed = 0,
    sample: Sample = False,
    distinct: Distinct = False,
    seconds: Seconds = 1.0,
    diverse: Diverse = 0.0,
    cautious: Cautious = 0.0,
    out: Out = None,
    plot: Plot = None,
    generator: GeneratorName = None,
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
    from diffusionnag.cli.output import check_output
    from diffusionnag.cli.show_generation import draw_generation, show_generation
    from diffusionnag.generation.run import transfer
    from diffusionnag.generation.sampling import Sampling
    from diffusionnag.spaces.fixed_nodes import read_fixed

    check_output(top, out, plot)
    with progress_bar() as bar:
        task = bar.add_task("reading images", total=None, note="")
        result = transfer(
            space,
            data,
            count,
            guides=guide or (),
            limits=limit or (),
            limit_probability=limit_probability,
            fixed=read_fixed(fixed or ()),
            conditions=condition or (),
            method="sample" if sample else "best",
            distinct=distinct,
            seconds=seconds,
            diverse=diverse,
            cautious=cautious,
            sampling=Sampling(solver, steps, seed),
            generator=generator,
            predictor=predictor,
            encoder=encoder,
            compare_unguided=plot is not None,
            report=lambda done, of: bar.update(task, completed=done, total=of),
        )
    dataset = result.dataset
    assert dataset is not None
    note = f"; {dataset.skipped} could not be read" if dataset.skipped else ""
    messages.print(
        f"{data}: {dataset.classes} classes, described by {dataset.images} images{note}",
        markup=False,
    )
    messages.print(
        f"accuracies are on the scale of what the predictor learnt from ({dataset.learnt_from}): they "
        "rank architectures for these images, and say little of the accuracy on them",
        markup=False,
    )
    show_generation(result, top, out)
    if plot is not None:
        draw_generation(result, plot)
