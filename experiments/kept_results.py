"""What an experiment measured, kept as JSON, so that it can be stopped and resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusionnag._files import read_json, write_atomically
from diffusionnag.artifacts.model_cards import commit

Kept = dict[str, Any]
RUNS = Path("runs")


def kept_folder(experiment: str) -> Path:
    """Return the folder of what an experiment keeps: this commit's, for another's figures may differ."""
    return RUNS / experiment / commit()


def kept(path: Path, measure: Callable[[], Kept]) -> Kept:
    """Return what a file holds, or what is measured now, which the file then holds."""
    if path.exists():
        return read_json(path)
    measured = measure()
    keep(path, measured)
    return measured


def empty_folder(folder: Path) -> None:
    """Make a folder without what an interrupted run left, whose seconds would be those of a part."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def keep(path: Path, measured: Kept) -> None:
    """Write what was measured; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(measured))
