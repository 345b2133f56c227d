"""`diffusionnag experiment`: measure again what the README and results/ state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def experiment(
    name: Annotated[str, typer.Argument(help="Its name; an unknown one lists them all.")],
    out: Annotated[Path, typer.Option(help="Folder for the table.")] = Path("results"),
) -> None:
    """Run an experiment and write its table, with command, commit, machine and date."""
    from diffusionnag.cli.console import command_line, messages, results
    from diffusionnag.experiments import get_experiment, write_result
    from diffusionnag.files import prepare_folder
    from diffusionnag.model_card import machine, today

    run = get_experiment(name)
    prepare_folder(out)
    with messages.status(name) as status:
        table = run(lambda text: status.update(f"{name}: {text}"))
    path = out / f"{name}.md"
    write_result(table, path, command=command_line(), machine=machine(), date=today())
    results.print(path.read_text(encoding="utf-8"), markup=False)
    messages.print(f"written to {path}")
