"""The folder in which a user keeps measured tables as files."""

from __future__ import annotations

import os
from pathlib import Path

DATA_FOLDER_VARIABLE = "DIFFUSIONNAG_DATA"
"""The environment variable that names the folder of measured tables."""


def data_file(name: str) -> Path | None:
    """Return the file of that name in the folder of measured tables, None where there is none."""
    folder = os.environ.get(DATA_FOLDER_VARIABLE)
    path = Path(folder or "", name)
    return path if folder and path.is_file() else None
