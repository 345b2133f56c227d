"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from diffusionnag.artifacts.model_cards import About, machine, today

WIDE = 200
"""Columns of a table that nobody watches: in a file or a pipe nothing should be broken in two."""

results = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
messages = Console(
    stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else WIDE
)


def progress_bar() -> Progress:
    """Return a progress bar on standard error, removed when it is done; none without a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=messages,
        transient=True,
        disable=not messages.is_terminal,
    )


def command_line() -> str:
    """Return the command being run, as one would type it."""
    return shlex.join(["diffusionnag", *sys.argv[1:]])


def origin(data: str = "", quality: Mapping[str, float] | None = None, commit: str = "") -> About:
    """Return that something comes from the command being run, here and today, and from what data."""
    return About(
        command=command_line(),
        data=data,
        date=today(),
        machine=machine(),
        commit=commit,
        quality=dict(quality or {}),
    )
