"""`diffusionnag experiment`: measure again what the README and results/ state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def experiment(
    name: Annotated[str, typer.Argument(help="validity, distribution, guided-quality or table4.")],
    out: Annotated[Path, typer.Option(help="Folder for the table.")] = Path("results"),
) -> None:
    """Run an experiment and write its table, with command, commit, machine and date."""
    from diffusionnag.cli.console import command_line, machine, messages, results, today
    from diffusionnag.experiments import get_experiment, write_result
    from diffusionnag.files import prepare_folder

    run = get_experiment(name)
    prepare_folder(out)
    with messages.status(name) as status:
        table = run(lambda text: status.update(f"{name}: {text}"))
    path = out / f"{name}.md"
    write_result(table, path, command=command_line(), machine=machine(), date=today())
    results.print(path.read_text(encoding="utf-8"), markup=False)
    messages.print(f"written to {path}")
