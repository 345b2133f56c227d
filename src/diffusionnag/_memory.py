"""What this machine's memory cannot hold, whether it is exhausted, and what this process took of it."""

from __future__ import annotations

import os
import resource
import sys

from diffusionnag.errors import DiffusionNAGError

PROCESS = 300 * 2**20
"""Bytes that a process with torch holds at least."""

EXHAUSTED = ("out of memory", "not enough memory", "can't allocate memory")
"""What torch says where memory is exhausted, in its OutOfMemoryError or another RuntimeError."""


def check_fits(what: str, size: int) -> None:
    """Raise DiffusionNAGError where something of so many bytes exceeds this machine's memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise DiffusionNAGError(
            f"{what} would need {_gibibytes(size)}, and this machine has {_gibibytes(memory)}; ask "
            "for less"
        )


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory is exhausted."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in EXHAUSTED)


def process_memory() -> float:
    """Return the most memory that this process has held so far, in MiB."""
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes / 2**10 if sys.platform != "darwin" else kibibytes / 2**20


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:,.0f} GiB of memory" if size < 2**80 else "more than 2^50 GiB of memory"
