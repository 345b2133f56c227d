"""Every command in README and documentation is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from diffusionnag.cli import app
from experiments import EXPERIMENTS

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^```(?:console|)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every `diffusionnag` command in a block of the pages, as words, with where it stands."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
    for page in pages:
        text = page.read_text()
        for block in FENCED.finditer(text):
            for line in block[1].replace("\\\n", " ").splitlines():
                words = (
                    shlex.split(line.removeprefix("$ "), comments=True) if "diffus" in line else []
                )
                if words and words[0] == "diffusionnag":
                    yield f"{page.relative_to(ROOT)}: {' '.join(words[1:4])}", words[1:]


COMMANDS = list(commands())


@pytest.mark.parametrize("words", [w for _, w in COMMANDS], ids=[name for name, _ in COMMANDS])
def test_a_command_parses(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words[0] in command.commands
        command, words = command.commands[words[0]], words[1:]
    context = command.context_class(command, info_name=command.name)
    left = command.parse_args(context, list(words))
    assert not left


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) > 30


def test_experiments_that_pages_name_exist() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]:
        text = " ".join(page.read_text().split())
        for name in re.findall(r"python -m experiments ([a-z][\w-]+)", text):
            assert name in EXPERIMENTS, page
