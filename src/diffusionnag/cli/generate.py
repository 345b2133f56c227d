"""`diffusionnag generate`: architectures of a space, at random or with the properties asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def generate(
    space: Annotated[
        str, typer.Argument(help="Search space, or your own: FILE.yaml, FILE.py:NAME.")
    ],
    count: Annotated[int, typer.Option("-n", help="How many architectures.")] = 256,
    guide: Annotated[
        list[str] | None,
        typer.Option(
            help="Property to raise: a shipped predictor's name, an analytic property (params), a "
            "folder or hub id, and =WEIGHT (1 if left out, negative to lower it). May be repeated.",
            metavar="NAME_OR_PATH[=WEIGHT]",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Limit that every architecture keeps: 'params<=1.0M', 'latency:pixel3<=15', "
            "'cifar10>=90'. May be repeated.",
            metavar="NAME_OR_PATH<=VALUE",
        ),
    ] = None,
    limit_probability: Annotated[
        float, typer.Option(help="Probability with which predicted properties keep a limit.")
    ] = 0.5,
    pareto: Annotated[
        bool,
        typer.Option(
            "--pareto",
            help="Spread distinct architectures along the front of two or three guides: the best "
            "compromises between them.",
        ),
    ] = False,
    solver: Annotated[
        str | None, typer.Option(help="Solver; the generator's own if left out.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver.")] = None,
    top: Annotated[int, typer.Option(help="How many of the best to print.")] = 10,
    seed: Annotated[int, typer.Option(help="Same seed, same architectures.")] = 0,
    distinct: Annotated[bool, typer.Option("--distinct", help="No architecture twice.")] = False,
    resample: Annotated[
        bool,
        typer.Option("--resample", help="Make the guidance exact by resampling; takes longer."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write them all into this .jsonl file.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw the property's distribution, or with --pareto the front (.png, .svg, .pdf)."
        ),
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(help="Folder or hub id of a generator; the shipped one if left out."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Generate valid architectures, guided by any predictors, and show the best."""
    from diffusionnag._devices import check_device
    from diffusionnag.cli.generation import check_output, generate_guided
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.generation.generator import Generator
    from diffusionnag.generation.request import parse_request
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    check_device(device)
    request = parse_request(guide or [], limit or [], limit_probability, search_space)
    if plot is not None and not request.judged():
        raise DiffusionNAGError("--plot draws the distribution of a guide; give one by --guide")
    check_output(top, out, plot)
    model = Generator.from_pretrained(
        generator or search_space.name, search_space=search_space, device=device
    )
    if pareto:
        from diffusionnag.cli.pareto import generate_pareto

        generate_pareto(model, request, count, solver, steps, seed, top=top, out=out, plot=plot)
        return

    generate_guided(
        model,
        request,
        count,
        solver,
        steps,
        seed,
        top=top,
        distinct=distinct,
        resample=resample,
        out=out,
        plot=plot,
    )
