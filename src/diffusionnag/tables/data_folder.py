"""The folder in which a user keeps measured tables as files."""

from __future__ import annotations

import os
from pathlib import Path

DATA_FOLDER_VARIABLE = "DIFFUSIONNAG_DATA"
"""The environment variable that names the folder of measured tables."""


def data_path(name: str) -> Path:
    """Return where a file of that name belongs, which is here where no folder is named."""
    return Path(os.environ.get(DATA_FOLDER_VARIABLE, ""), name)


def data_file(name: str) -> Path | None:
    """Return the file of that name in the folder of measured tables, None where there is none."""
    path = data_path(name)
    return path if os.environ.get(DATA_FOLDER_VARIABLE) and path.is_file() else None
