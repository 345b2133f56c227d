"""`diffusionnag compare`: groups of architectures, trained alike (paper, Table 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

GROUPS = "--groups"


class TakesGroups(TyperCommand):
    """A command whose `--groups` takes all words up to the next option: `--groups a.jsonl b.jsonl`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its words, the form that the parser knows."""
        written: list[str] = []
        for place, word in enumerate(args):
            further = place > 1 and written[-2] == GROUPS and not word.startswith("-")
            written += [GROUPS, word] if further else [word]
        return super().parse_args(ctx, written)


def compare(
    space: Annotated[str, typer.Argument(help="nasbench201, mobilenetv3 or mnasnet.")],
    data: Annotated[
        Path, typer.Option(help="Images: a folder with one folder a class, or a .parquet file.")
    ],
    groups: Annotated[
        list[Path],
        typer.Option(
            GROUPS, help="Files of architectures, as --out writes.", metavar="FILE.jsonl..."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the trainings.")],
    test: Annotated[
        Path | None, typer.Option(help="Images to test on; a tenth of the others if left out.")
    ] = None,
    top: Annotated[int, typer.Option(help="Architectures of each group, the first ones.")] = 10,
    seeds: Annotated[int, typer.Option(help="Times that each is trained.")] = 3,
    epochs: Annotated[int, typer.Option(help="Times that each image is seen.")] = 200,
    batch_size: Annotated[int, typer.Option(help="Images in one step.")] = 256,
    resolution: Annotated[
        int | None, typer.Option(help="Pixels; the benchmark's own if left out.")
    ] = None,
    subset: Annotated[
        int | None, typer.Option(help="Use so many images only, drawn at random.")
    ] = None,
) -> None:
    """Train the best of several groups alike and compare them; run again, it goes on."""
    from rich.markup import escape
    from rich.table import Table

    from diffusionnag.cli.console import messages, progress_bar, require_packages, results
    from diffusionnag.errors import DiffusionNAGError

    require_packages("train", "lightning_fabric", "PIL", "tensorboard", "scipy")
    from diffusionnag.files import prepare_folder
    from diffusionnag.networks.comparison import (
        p_value,
        read_group,
        summarise,
        train_groups,
    )
    from diffusionnag.networks.task import load_task
    from diffusionnag.networks.training import Progress, TrainingSettings
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    if top < 1 or seeds < 1:
        raise DiffusionNAGError("--top and --seeds must be at least 1")
    read = [read_group(path, search_space, top) for path in groups]
    settings = TrainingSettings(epochs=epochs, batch_size=batch_size)
    settings.check()
    prepare_folder(out)
    task = load_task(data, search_space, test=test, resolution=resolution, subset=subset)
    if task.skipped:
        messages.print(f"skipped {task.skipped:,} images that cannot be read")
    with progress_bar() as bar:
        training = bar.add_task("training", total=None, note="")

        def report(done: int, total: int, progress: Progress) -> None:
            reached = done + progress.step / progress.steps
            bar.update(training, completed=reached, total=total)

        accuracies = train_groups(search_space, read, task, settings, seeds, out, report)

    table = Table("group", "max", "mean", "min", f"p against {escape(read[0].name)}", box=None)
    for place, (group, found) in enumerate(zip(read, accuracies, strict=True)):
        p = "-" if place == 0 else f"{p_value(accuracies[0], found):.3g}"
        table.add_row(escape(group.name), *map(str, summarise(found)), p)
    results.print(table)
    results.print(
        f"accuracy in % on {len(task.held_out.labels):,} held-out images: {top} architectures a "
        f"group, mean and 95 % interval over {seeds} seeds; p by Welch's t-test over architectures"
    )
