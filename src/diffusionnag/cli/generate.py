"""`diffusionnag generate`: architectures of a space, at random or with the properties asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ORACLE_SIZE = 1_000
"""The paper compares with the best thousand architectures of a table (Table 3, Figure 2)."""


def generate(
    space: Annotated[str, typer.Argument(help="Search space, or FILE.py:Class for your own.")],
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
    from diffusionnag.cli.console import messages, results
    from diffusionnag.cli.generated import (
        Evaluation,
        metrics_table,
        plot_property,
        ranking_table,
        write_json_lines,
    )
    from diffusionnag.cli.request import parse_request
    from diffusionnag.devices import check_device
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.files import check_writable
    from diffusionnag.generator import Generator
    from diffusionnag.guided_sampling import sample_resampled
    from diffusionnag.metrics import generation_quality
    from diffusionnag.report.figure import check_picture
    from diffusionnag.samples import Samples
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    check_device(device)
    if top < 0:
        raise DiffusionNAGError(f"--top is {top}; it must be 0 or more")
    request = parse_request(guide or [], limit or [], limit_probability, search_space)
    if plot is not None and not request.judged():
        raise DiffusionNAGError("--plot draws the distribution of a guide; give one by --guide")
    for path in (out, plot):
        if path is not None:
            check_writable(path)
    if plot is not None:
        check_picture(plot)
    model = Generator.from_pretrained(
        generator or search_space.name, search_space=search_space, device=device
    )
    if pareto:
        from diffusionnag.cli.pareto import generate_pareto

        generate_pareto(model, request, count, solver, steps, seed, top=top, out=out, plot=plot)
        return

    guidance = request.guidance()
    with messages.status("generating"):
        if not resample:
            samples = model.sample(
                count, guide=guidance, solver=solver, steps=steps, seed=seed, distinct=distinct
            )
        elif guidance is None or distinct or solver is not None:
            raise DiffusionNAGError(
                "--resample corrects a --guide or --limit, with a solver of its own, and its "
                "architectures may repeat: leave out --distinct and --solver"
            )
        else:
            found = sample_resampled(model, count, guide=guidance, steps=steps, seed=seed)
            samples = Samples(found.architectures, found.architectures, found.rejected)
            least = 100 * min(found.effective_sample_size)
            messages.print(f"effective sample size: at least {least:.0f} % of the particles")
        quality = generation_quality(search_space, samples.drawn, model.training_set)
        generated = Evaluation.of(search_space, samples.architectures, request).ranked()
        uniform = Evaluation.of(search_space, search_space.sample(count, seed), request)
    results.print(ranking_table(generated, top))
    results.print(metrics_table(quality, samples, generated, uniform, request))
    if out is not None:
        write_json_lines(generated, out)
        messages.print(f"{len(samples)} architectures written to {out}")
    if plot is not None:
        unguided = model.sample(count, solver=solver, steps=steps, seed=seed)
        others = Evaluation.of(search_space, unguided.architectures, request)
        groups = {"random": uniform, "unguided": others, "guided": generated}
        plot_property(plot, groups, next(iter(request.judged())), ORACLE_SIZE)
        messages.print(f"drawn into {plot}")
