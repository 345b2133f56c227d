"""What a command needs of its process: streams that can be written, and warnings that end nothing."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

TURNS_INTO_ERROR = "error"
"""How the options of Python begin that turn warnings into errors."""


def open_streams() -> None:
    """Make standard output and error writable: closed ones lead nowhere, odd characters become `?`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def warnings_only_shown() -> Iterator[None]:
    """Inside the block no warning is an error: one of another library says nothing of a command.

    That holds for the processes that the command starts as well.
    """
    strict = [option for option in sys.warnoptions if option.startswith(TURNS_INTO_ERROR)]
    with warnings.catch_warnings():
        if strict:
            sys.warnoptions[:] = [option for option in sys.warnoptions if option not in strict]
            os.environ.pop("PYTHONWARNINGS", None)
            warnings.simplefilter("default")
        yield
