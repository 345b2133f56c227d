"""The command line: one module a command; heavy imports wait inside the commands."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from diffusionnag import __version__
from diffusionnag._memory import is_out_of_memory
from diffusionnag.cli._process import open_streams, warnings_only_shown
from diffusionnag.cli.check import check
from diffusionnag.cli.compare import TakesGroups, compare
from diffusionnag.cli.export import export
from diffusionnag.cli.generate import generate
from diffusionnag.cli.import_table import import_table
from diffusionnag.cli.info import info
from diffusionnag.cli.measure import measure
from diffusionnag.cli.meta_train import meta_train
from diffusionnag.cli.profile import profile
from diffusionnag.cli.proxies import proxies
from diffusionnag.cli.report import report
from diffusionnag.cli.search import GroupedCommand, search
from diffusionnag.cli.spaces import spaces
from diffusionnag.cli.supernet import supernet
from diffusionnag.cli.tables import tables
from diffusionnag.cli.train import train
from diffusionnag.cli.train_generator import train_generator
from diffusionnag.cli.train_predictor import train_predictor
from diffusionnag.cli.transfer import transfer
from diffusionnag.cli.triplets import triplets
from diffusionnag.errors import DiffusionNAGError

__all__ = ["app", "main", "run"]

INTERRUPTED = 130
"""What typer returns when the user pressed Ctrl-C."""
RESUMED = {
    **dict.fromkeys(
        ("train-generator", "train", "supernet", "meta-train", "compare", "profile", "proxies"),
        "the same command resumes it",
    ),
    "search": "the same command resumes it if it has a --storage",
    "generate": "the same command resumes it if it streams samples into a file",
}
"""What becomes of an interrupted command's work, by its name; that of others is lost."""

app = typer.Typer(
    name="diffusionnag",
    help="Generate neural network architectures that have the properties you ask for.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
"""All commands of `diffusionnag`."""
app.command()(generate)
app.command()(transfer)
app.command(cls=GroupedCommand)(search)
app.command()(spaces)
app.command()(info)
app.command()(check)
app.command("train-generator")(train_generator)
app.command("train-predictor")(train_predictor)
app.command()(train)
app.command()(supernet)
app.command(cls=TakesGroups)(compare)
app.command()(export)
app.command()(measure)
app.command()(profile)
app.command()(proxies)
app.command()(report)
app.command("meta-train")(meta_train)
app.command()(triplets)
app.command()(tables)
app.add_typer(import_table, name="import")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print version."),
    ] = False,
) -> None:
    # rich takes a tenth of a second to import, which `--help` need not spend.
    from rich.logging import RichHandler

    from diffusionnag.cli.console import messages

    handler = RichHandler(console=messages, show_time=False, show_path=False, show_level=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("diffusionnag").setLevel(logging.INFO)


def main() -> None:
    """Run `diffusionnag` with the arguments that the process was started with."""
    run(app)


def run(app: typer.Typer) -> None:
    """Run a command line; every foreseeable failure ends in one line and an exit code.

    2: what was asked for cannot be done. 1: the world failed, or the user interrupted.
    """
    open_streams()
    # To look for garbage among all that is imported would take a tenth of a start.
    gc.set_threshold(10_000)
    try:
        with warnings_only_shown():
            code = app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)
    except DiffusionNAGError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        resumed = RESUMED.get("".join(sys.argv[1:2]))
        _fail(f"interrupted; {resumed}" if resumed else "interrupted", 1)
    except BrokenPipeError:
        # The reader of our output has gone; leave nothing for Python to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or error}{place}", 1)
    except TyperException as error:
        _fail(f"{error.format_message()} (see `diffusionnag --help`)", 2)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        _fail("not enough memory; ask for fewer architectures or steps", 1)


def _fail(message: str, code: int) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
