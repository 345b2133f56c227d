"""What was read slowly is kept as Parquet, from which it is read a hundred times as fast."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import platformdirs

import diffusionnag
from diffusionnag._files import prepare_folder
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.tables.table import Table, read_table, write_table


def read_or_recall(name: str, files: Sequence[Path], read: Callable[[], Table]) -> Table:
    """Return the table that `read` makes of files, or the one it made of the same files before.

    The same are those of the same place, size and time of change, read by the same version of the
    library. The table lies in the user's cache folder; where that cannot be written, nothing is kept.
    Raises what `read` does, and EnvironmentFailureError for a file that cannot be looked at.
    """
    kept = platformdirs.user_cache_path("diffusionnag") / f"{name}-{_digest(files)}.parquet"
    if kept.is_file():
        try:
            return replace(read_table(kept), name=name)
        except (DiffusionNAGError, EnvironmentFailureError):
            pass  # cut off or changed: it is made again
    table = read()
    try:
        prepare_folder(kept.parent)
        write_table(table, kept)
    except EnvironmentFailureError:
        pass
    return table


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256(diffusionnag.__version__.encode())
    for file in files:
        try:
            state = file.stat()
        except OSError as error:
            raise EnvironmentFailureError(f"{file}: cannot be read: {error.strerror}") from error
        digest.update(f"{file.resolve()} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
