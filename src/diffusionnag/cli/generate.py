"""`diffusionnag generate`: architectures of a space, at random or with the properties asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from diffusionnag.cli.options import (
    Count,
    Device,
    GeneratorName,
    LimitProbability,
    Limits,
    Out,
    Plot,
    Seed,
    Solver,
    Space,
    Steps,
    Top,
)


def generate(
    space: Space,
    count: Count = 256,
    guide: Annotated[
        list[str] | None,
        typer.Option(
            help="Property to raise: a shipped predictor's name, an analytic property (params), a "
            "folder or hub id, and =WEIGHT (1 if left out, negative to lower it). May be repeated.",
            metavar="NAME_OR_PATH[=WEIGHT]",
        ),
    ] = None,
    limit: Limits = None,
    limit_probability: LimitProbability = 0.5,
    pareto: Annotated[
        bool,
        typer.Option(
            "--pareto",
            help="Spread distinct architectures along the front of two or three guides: the best "
            "compromises between them.",
        ),
    ] = False,
    solver: Solver = None,
    steps: Steps = None,
    top: Top = 10,
    seed: Seed = 0,
    distinct: Annotated[bool, typer.Option("--distinct", help="No architecture twice.")] = False,
    resample: Annotated[
        bool,
        typer.Option("--resample", help="Make the guidance exact by resampling; takes longer."),
    ] = False,
    out: Out = None,
    plot: Plot = None,
    generator: GeneratorName = None,
    device: Device = "cpu",
) -> None:
    """Generate valid architectures, guided by any predictors, and show the best."""
    from diffusionnag._devices import check_device
    from diffusionnag.cli.console import messages
    from diffusionnag.cli.output import check_output
    from diffusionnag.cli.show_generation import draw_generation, show_generation
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.generation.run import generate
    from diffusionnag.generation.sampling import Sampling

    check_device(device)
    check_output(top, out, plot)
    if plot is not None and not guide and not limit:
        raise DiffusionNAGError("--plot draws the distribution of a guide; give one by --guide")
    if pareto and resample:
        raise DiffusionNAGError("--pareto and --resample exclude each other; leave one out")
    with messages.status("generating"):
        result = generate(
            space,
            count,
            guides=guide or (),
            limits=limit or (),
            limit_probability=limit_probability,
            method="pareto" if pareto else "resample" if resample else "sample",
            distinct=distinct,
            sampling=Sampling(solver, steps, seed),
            generator=generator,
            device=device,
            compare_unguided=plot is not None and not pareto,
        )
    show_generation(result, top, out)
    if plot is not None:
        draw_generation(result, plot)
