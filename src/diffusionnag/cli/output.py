"""What commands check, before work begins, of where its results are to go."""

from __future__ import annotations

from pathlib import Path

from diffusionnag._files import check_writable
from diffusionnag.artifacts.record_files import check_record_path
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report import check_picture


def check_output(top: int, out: Path | None, plot: Path | None) -> None:
    """Make sure, before work begins, that its results can be shown and written.

    Raises DiffusionNAGError for a negative `top`, a file or a picture of no known kind,
    EnvironmentFailureError for a file that cannot be written.
    """
    if top < 0:
        raise DiffusionNAGError(f"--top is {top}; it must be 0 or more")
    if out is not None:
        check_record_path(out)
    for path in (out, plot):
        if path is not None:
            check_writable(path)
    if plot is not None:
        check_picture(plot)
