"""`diffusionnag generate`: architectures of a space, at random or with the properties asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from diffusionnag.cli.options import (
    Cautious,
    Conditions,
    Count,
    Device,
    Distinct,
    Diverse,
    ExecutorName,
    Fixed,
    GeneratorName,
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
    fixed: Fixed = None,
    condition: Conditions = None,
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
    sample: Sample = False,
    distinct: Distinct = False,
    seconds: Seconds = 1.0,
    diverse: Diverse = 0.0,
    cautious: Cautious = 0.0,
    resample: Annotated[
        bool,
        typer.Option("--resample", help="Make the guidance exact by resampling; takes longer."),
    ] = False,
    out: Out = None,
    plot: Plot = None,
    generator: GeneratorName = None,
    device: Device = "cpu",
    workers: Annotated[
        int, typer.Option(help="Processes that sample into a file side by side.")
    ] = 1,
    executor: ExecutorName = None,
) -> None:
    """Generate valid architectures with the properties asked for, and show the best.

    With a --guide they are the best there are: distinct, highest by the guides, within the limits.
    With --sample they are drawn from the distribution that guidance makes of the space, as in the
    paper.
    """
    from diffusionnag._devices import check_device
    from diffusionnag.cli.console import messages, progress_bar
    from diffusionnag.cli.output import check_output
    from diffusionnag.cli.show_generation import draw_generation, show_generation, show_streamed
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.execution import new_executor
    from diffusionnag.generation import Sampling, Stream, generate, stream_samples
    from diffusionnag.generation.streamed import MOST_AT_ONCE
    from diffusionnag.spaces.fixed_nodes import read_fixed

    check_device(device)
    check_output(top, out, plot)
    if plot is not None and not guide and not limit:
        raise DiffusionNAGError("--plot draws the distribution of a guide; give one by --guide")
    chosen = {"sample": sample, "resample": resample, "pareto": pareto}
    methods = [method for method, wanted in chosen.items() if wanted]
    if len(methods) > 1:
        both = " and ".join(f"--{method}" for method in methods)
        raise DiffusionNAGError(f"{both} exclude each other; leave one out")
    streams = not distinct and (methods == ["sample"] or not (methods or guide))
    several = workers != 1 or executor is not None
    if several and not (streams and out is not None):
        raise DiffusionNAGError(
            "--workers and --executor are for samples that may repeat, written into a file: --sample "
            "--out FILE"
        )
    if (count > MOST_AT_ONCE or several) and streams and out is not None:
        stream = Stream(
            space,
            guides=guide or (),
            limits=limit or (),
            limit_probability=limit_probability,
            fixed=read_fixed(fixed or ()),
            conditions=condition or (),
            sampling=Sampling(solver, steps, seed),
            generator=generator,
            device=device,
        )
        with progress_bar() as bar:
            task = bar.add_task("generating", total=count, note="")
            streamed = stream_samples(
                stream,
                count,
                out,
                executor=new_executor(executor, workers),
                report=lambda drawn: bar.update(task, completed=drawn),
            )
        show_streamed(streamed, bool(limit), count, out)
        return
    with messages.status("generating"):
        result = generate(
            space,
            count,
            guides=guide or (),
            limits=limit or (),
            limit_probability=limit_probability,
            fixed=read_fixed(fixed or ()),
            conditions=condition or (),
            method=methods[0] if methods else None,
            distinct=distinct,
            seconds=seconds,
            diverse=diverse,
            cautious=cautious,
            sampling=Sampling(solver, steps, seed),
            generator=generator,
            device=device,
            compare_unguided=plot is not None and not pareto,
        )
    show_generation(result, top, out)
    if plot is not None:
        draw_generation(result, plot)
