"""Refusing at once what no memory could hold."""

from __future__ import annotations

import os

from diffusionnag.errors import DiffusionNAGError

PROCESS = 300 * 2**20
"""Bytes that a process with torch holds at least."""


def check_fits(what: str, size: int) -> None:
    """Raise DiffusionNAGError where something of so many bytes exceeds this machine's memory."""
    if not hasattr(os, "sysconf"):
        return  # Windows, where Python has no such question
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise DiffusionNAGError(
            f"{what} would need {_gibibytes(size)}, and this machine has {_gibibytes(memory)}; ask "
            "for less"
        )


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:,.0f} GiB of memory" if size < 2**80 else "more than 2^50 GiB of memory"
