"""`diffusionnag compare`: groups of architectures, trained alike (paper, Table 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from diffusionnag.cli.options import (
    BatchSize,
    Context,
    Cpus,
    Data,
    Device,
    Epochs,
    ExecutorName,
    Gpus,
    Resolution,
    Space,
    Subset,
    Target,
    TestData,
    Tokens,
    Workers,
)

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
    space: Space,
    data: Data,
    groups: Annotated[
        list[Path],
        typer.Option(
            GROUPS, help="Files of architectures, as --out writes.", metavar="FILE.jsonl..."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the trainings.")],
    test: TestData = None,
    target: Target = None,
    tokens: Tokens = "bytes",
    top: Annotated[int, typer.Option(help="Architectures of each group, the first ones.")] = 10,
    seeds: Annotated[int, typer.Option(help="Times that each is trained.")] = 3,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    resolution: Resolution = None,
    context: Context = None,
    subset: Subset = None,
    device: Device = "cpu",
    workers: Workers = 1,
    executor: ExecutorName = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
) -> None:
    """Train the best of several groups alike and compare them; run again, it resumes."""
    from rich.markup import escape
    from rich.table import Table

    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import (
        messages,
        origin,
        progress_bar,
        results,
    )
    from diffusionnag.errors import DiffusionNAGError

    require_packages("train", "lightning_fabric", "PIL", "tensorboard", "scipy")
    from diffusionnag._devices import check_device
    from diffusionnag._files import prepare_folder
    from diffusionnag.execution import new_executor
    from diffusionnag.networks import (
        Comparison,
        TrainingSettings,
        comparison_rows,
        load_data,
        metric_title,
        read_group,
        train_groups,
        usual_settings,
        write_comparison,
    )
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    if top < 1 or seeds < 1:
        raise DiffusionNAGError("--top and --seeds must be at least 1")
    read = [read_group(path, search_space, top) for path in groups]
    if len({group.name for group in read}) < len(read):
        raise DiffusionNAGError("two files of groups have the same name; rename one")
    asked = {"epochs": epochs, "batch_size": batch_size}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    TrainingSettings(**given).check()
    chosen = new_executor(executor, workers, cpus=cpus, gpus=gpus)
    if chosen.host is None:
        check_device(device)
    prepare_folder(out)
    examples = load_data(
        data,
        search_space,
        test=test,
        target=target,
        tokens=tokens,
        resolution=resolution,
        context=context,
        subset=subset,
    )
    if examples.skipped:
        messages.print(f"skipped {examples.skipped:,} images that cannot be read")
    with progress_bar() as bar:
        training = bar.add_task("training", total=None, note="")

        accuracies = train_groups(
            search_space,
            read,
            examples,
            usual_settings(examples.task, **given),
            seeds,
            out,
            executor=chosen,
            device=device,
            report=lambda done, total: bar.update(training, completed=done, total=total),
        )

    comparison = Comparison(
        search_space.name,
        {group.name: tuple(map(search_space.format, group.architectures)) for group in read},
        {group.name: accuracy for group, accuracy in zip(read, accuracies, strict=True)},
        origin(
            data=f"{examples.summary}, {examples.held_out_summary}",
        ),
        examples.metric,
    )
    write_comparison(comparison, out)
    table = Table("group", "max", "mean", "min", f"p against {escape(read[0].name)}", box=None)
    for row in comparison_rows(comparison):
        table.add_row(*map(escape, row))
    results.print(table)
    results.print(
        f"{metric_title(comparison.metric)} on {examples.held_out_summary}: {top} architectures a "
        f"group, mean and 95 % interval over {seeds} seeds; p by Welch's t-test over architectures"
    )
