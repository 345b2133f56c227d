"""Model cards: what a checkpoint is, the command and data it came from, and how good it is."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class About:
    """The origin and the measured quality of a model; it travels in the model's config."""

    command: str = ""
    data: str = ""
    date: str = ""
    machine: str = ""
    commit: str = ""
    quality: dict[str, float] = field(default_factory=dict)
    """Measured figures by name; the name says the unit and on what it was measured."""


def model_card(
    title: str, summary: str, usage: str, facts: Mapping[str, object], about: About
) -> str:
    """Return the Markdown text of a card, with the header that the Hugging Face hub reads."""
    lines = [
        "---",
        "license: apache-2.0",
        "library_name: diffusionnag",
        "tags: [neural-architecture-search, diffusion]",
        "---",
        "",
        f"# {title}",
        "",
        summary,
        "",
        "```python",
        usage,
        "```",
        "",
        "| | |",
        "|---|---|",
    ]
    origin = {
        "trained by": f"`{about.command}`" if about.command else "a call of the library",
        "commit": about.commit,
        "data": about.data,
        "date": about.date,
        "machine": about.machine,
    }
    rows = {**facts, **{name: value for name, value in origin.items() if value}}
    lines += [f"| {name} | {value} |" for name, value in rows.items()]
    if about.quality:
        lines += ["", "## Measured quality", "", "| measure | value |", "|---|---|"]
        lines += [f"| {name} | {value:.5g} |" for name, value in about.quality.items()]
    return "\n".join(lines) + "\n"


def today() -> str:
    """Return the date, for model cards and tables of results."""
    return datetime.date.today().isoformat()


def machine() -> str:
    """Return a short description of this machine, and of the threads that a process uses on it."""
    import torch

    cores, threads = os.cpu_count(), torch.get_num_threads()
    return (
        f"{platform.machine()}, {cores} CPU cores ({threads} a process), torch {torch.__version__}"
    )


def commit() -> str:
    """Return the commit of the code that runs, `+` marking uncommitted changes, or `unknown`."""
    package = Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", str(package))
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
