"""`python -m experiments NAME`: measure again what the documentation and results/ state."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from diffusionnag._files import prepare_folder
from diffusionnag.artifacts.model_cards import machine, today
from diffusionnag.cli import run
from diffusionnag.cli.console import messages, results
from experiments import get_experiment, write_result

app = typer.Typer(name="experiments", add_completion=False, pretty_exceptions_enable=False)


@app.command()
def experiment(
    name: Annotated[str, typer.Argument(help="Its name; an unknown one lists them all.")],
    out: Annotated[Path, typer.Option(help="Folder for the table.")] = Path("results"),
) -> None:
    """Run an experiment and write its table, with command, commit, machine and date."""
    measure = get_experiment(name)
    prepare_folder(out)
    with messages.status(name) as status:
        table = measure(lambda text: status.update(f"{name}: {text}"))
    path = out / f"{name}.md"
    command = shlex.join(["python", "-m", "experiments", *sys.argv[1:]])
    write_result(table, path, command=command, machine=machine(), date=today())
    results.print(path.read_text(encoding="utf-8"), markup=False)
    messages.print(f"written to {path}")


run(app)
