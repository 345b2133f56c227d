"""`diffusionnag transfer`: architectures for a data set known by its images, or a task like others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diffusionnag.cli.options import (
    Cautious,
    Conditions,
    Count,
    Device,
    Distinct,
    Diverse,
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


def transfer(
    space: Space,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Images: a folder with one folder a class, a .parquet file, or hf:NAME:SPLIT.",
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            help="In place of images: a known task, an installed table or a file with a column of which "
            "more is better. Repeat it: at least two.",
            metavar="TABLE:COLUMN",
        ),
    ] = None,
    measured: Annotated[
        str | None,
        typer.Option(
            help="With --from: what was measured of the new task, five architectures or more.",
            metavar="FILE[:COLUMN]",
        ),
    ] = None,
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
    device: Device = "cpu",
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
    proxies: Annotated[
        bool,
        typer.Option(
            help="Whether training-free proxies count as much as the images, where some ship."
        ),
    ] = True,
) -> None:
    """Generate for a new data set, known by its images, or a new task, known by others' tables."""
    from diffusionnag._devices import check_device
    from diffusionnag.cli.console import messages, progress_bar
    from diffusionnag.cli.output import check_output
    from diffusionnag.cli.show_generation import draw_generation, show_generation
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.generation import generate
    from diffusionnag.generation.run import transfer
    from diffusionnag.generation.sampling import Sampling
    from diffusionnag.proxies import COMBINED
    from diffusionnag.spaces import get_search_space
    from diffusionnag.spaces.fixed_nodes import read_fixed
    from diffusionnag.transfer import learn_tasks

    check_device(device)
    check_output(top, out, plot)
    if (data is None) == (not tasks):
        raise DiffusionNAGError(
            "say what is known of the data set or task: --data IMAGES, or --from TABLE:COLUMN"
        )
    if (tasks and (predictor or encoder or not proxies)) or (measured and not tasks):
        raise DiffusionNAGError(
            "--measured belongs to --from, --predictor, --encoder and --no-proxies belong to --data"
        )
    options: dict[str, Any] = {
        "limits": limit or (),
        "limit_probability": limit_probability,
        "fixed": read_fixed(fixed or ()),
        "conditions": condition or (),
        "method": "sample" if sample else "best",
        "distinct": distinct,
        "seconds": seconds,
        "diverse": diverse,
        "cautious": cautious,
        "sampling": Sampling(solver, steps, seed),
        "generator": generator,
        "device": device,
        "compare_unguided": plot is not None,
    }
    if data is None:
        search_space = get_search_space(space)
        with progress_bar() as bar:
            task = bar.add_task("learning from tables", total=None, note="")
            learnt = learn_tasks(
                search_space,
                tasks or (),
                measured,
                seed=seed,
                report=lambda done, of: bar.update(task, completed=done, total=of),
            )
        for line in (*learnt.report, *learnt.describe()):
            messages.print(line, markup=False)
        result = generate(search_space, count, guides=[learnt.process, *(guide or ())], **options)
    else:
        with progress_bar() as bar:
            task = bar.add_task("reading images", total=None, note="")
            result = transfer(
                space,
                data,
                count,
                guides=guide or (),
                predictor=predictor,
                encoder=encoder,
                proxies=proxies,
                report=lambda done, of: bar.update(task, completed=done, total=of),
                **options,
            )
        dataset = result.dataset
        assert dataset is not None
        looked_at, scale = dataset.describe()
        messages.print(f"{data}: {looked_at}", markup=False)
        messages.print(scale, markup=False)
        if proxies and COMBINED in result.request.judged():
            messages.print("training-free proxies count as much; --no-proxies leaves them out")
    show_generation(result, top, out)
    if plot is not None:
        draw_generation(result, plot)
