"""Runs the pages of the tutorials: every block of a page in order, in one folder, in one process.

A page is Markdown. What its fenced blocks mean:

- `console`: lines that begin with `$ ` are commands (a line that ends in a backslash continues in
  the next one), all others are what they print; a line `...` stands for any lines.
- `python`: runs in the names that the blocks before it left; a `text` block right after it is what
  it prints.
- any language with `title="NAME"`: is written to the file NAME, and not run.

`python docs/scripts/pages.py PAGE...` runs pages and writes what they print today, and the pictures
that they show, back into them.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffusionnag.cli import main as diffusionnag
from diffusionnag.tables import DATA_FOLDER_VARIABLE

TUTORIALS = Path(__file__).parents[1] / "tutorials"
DATA = sorted(TUTORIALS.glob("*.csv"))
"""What readers download from a page lies beside the commands."""
FENCE = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?$')
PICTURE = re.compile(r"^!\[[^\]]*\]\((?P<path>images/[^)]+)\)")
ELLIPSIS = "..."


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its file's name if it has one, its lines."""

    language: str
    title: str | None
    lines: tuple[str, ...]
    first: int
    """The index of its first line in the page."""


def read_blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    blocks, lines = [], page.splitlines()
    start: int | None = None
    fence: re.Match[str] | None = None
    for number, line in enumerate(lines):
        if start is None and (fence := FENCE.match(line)):
            start = number + 1
        elif start is not None and line == "```" and fence is not None:
            body = tuple(lines[start:number])
            blocks.append(Block(fence["language"], fence["title"], body, start))
            start = None
    return blocks


@dataclass(frozen=True)
class Command:
    """A command of a console block, and what the page says that it prints."""

    text: str
    shown: tuple[str, ...]


def read_commands(block: Block) -> list[Command]:
    """Return the commands of a console block in order."""
    commands: list[tuple[list[str], list[str]]] = []
    continued = False
    for line in block.lines:
        if continued:
            commands[-1][0].append(line)
        elif line.startswith("$ "):
            commands.append(([line[2:]], []))
        else:
            commands[-1][1].append(line)
            continue
        continued = line.endswith("\\")
    return [Command("\n".join(text), tuple(shown)) for text, shown in commands]


@dataclass
class Session:
    """The folder and the Python names in which the blocks of one page run."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})

    def run_python(self, block: Block, page: Path) -> str:
        """Run a block of Python and return what it prints; errors name the page and its line."""
        code = "\n" * block.first + "\n".join(block.lines)
        with self._captured() as printed:
            exec(compile(code, str(page), "exec"), self.names)
        return printed.getvalue()

    def run_command(self, command: str) -> tuple[str, int]:
        """Run a command of the shell; return what it prints and its exit code.

        `diffusionnag` runs inside this process, which saves the seconds that its imports take,
        unless it starts workers.
        """
        words = shlex.split(command.replace("\\\n", " "))
        if words[0] != "diffusionnag" or "--workers" in words or "|" in words:
            return self._run_shell(command)
        # The command sets up logging of its own, as in a process where nobody else has.
        logger = logging.getLogger()
        before = sys.argv, logger.handlers
        sys.argv, logger.handlers = words, []
        code: Any = 0
        with self._captured() as printed:
            try:
                diffusionnag()
            except SystemExit as ended:
                code = ended.code
            finally:
                sys.argv, logger.handlers = before
        return printed.getvalue(), int(code or 0)

    def _run_shell(self, command: str) -> tuple[str, int]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            command, shell=True, cwd=self.folder, env=os.environ | {"PATH": path}, text=True,
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return ran.stdout, ran.returncode

    @contextlib.contextmanager
    def _captured(self) -> Iterator[io.StringIO]:
        printed, before = io.StringIO(), Path.cwd()
        # Readers have the measured tables that come as packages, and no others.
        tables = os.environ.pop(DATA_FOLDER_VARIABLE, None)
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                yield printed
        finally:
            os.chdir(before)
            if tables is not None:
                os.environ[DATA_FOLDER_VARIABLE] = tables


@dataclass(frozen=True)
class Ran:
    """What a part of a page was to print, and what it printed; where in the page it says so."""

    what: str
    first: int
    shown: tuple[str, ...] | None
    """None where the page does not say."""
    printed: tuple[str, ...]
    code: int = 0


def run_page(path: Path, folder: Path) -> Iterator[Ran]:
    """Run the blocks of a page in an empty folder, and yield what each command and block has printed.

    Raises whatever a block of Python raises.
    """
    for file in DATA:
        shutil.copy(file, folder)
    session, blocks = Session(folder), read_blocks(path.read_text())
    for block, after in itertools.zip_longest(blocks, blocks[1:]):
        if block.title:
            (folder / block.title).write_text("\n".join(block.lines) + "\n")
        elif block.language == "console":
            first = block.first
            for command in read_commands(block):
                first += command.text.count("\n") + 1
                printed, code = session.run_command(command.text)
                yield Ran(command.text, first, command.shown, _lines(printed), code)
                first += len(command.shown)
        elif block.language == "python":
            printed = session.run_python(block, path)
            follows = after is not None and after.language == "text"
            shown = after.lines if follows and after is not None else None
            first = after.first if after is not None else 0
            yield Ran("\n".join(block.lines), first, shown, _lines(printed))


def _lines(printed: str) -> tuple[str, ...]:
    return tuple(line.rstrip() for line in printed.rstrip().splitlines())


def difference(ran: Ran) -> str:
    """Return in what a page and the run differ, empty if in nothing.

    Spaces, numbers and architectures are not compared: they may differ a little between machines.
    """
    if ran.code and not any("error:" in line for line in ran.shown or ()):
        return f"exit code {ran.code}: {' / '.join(ran.printed)}"
    if ran.shown is None:
        return ""
    printed, at = [_outline(line) for line in ran.printed], 0
    for part in _parts(ran.shown):
        wanted = [_outline(line) for line in part]
        places = range(at, len(printed) - len(wanted) + 1)
        place = next((i for i in places if printed[i : i + len(wanted)] == wanted), None)
        if place is None:
            return "\n".join(["shown:", *part, "printed:", *ran.printed])
        at = place + len(wanted)
    return ""


def _parts(shown: tuple[str, ...]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in shown:
        if line.strip() == ELLIPSIS:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def _outline(line: str) -> str:
    # A search writes "the same" for an architecture that it has just named.
    line = re.sub(r"\|\S+\||\b[\w.]+(?:\|[\w.]+){3,}|(?<=tell: )the same\b", "A", line)
    line = re.sub(r"[-+]?\d[\d,.]*(e[-+]?\d+)?", "0", line)
    return " ".join(re.sub(r"[─━│┃┏┓┗┛┡┩└┘┌┐]+", " ", line).split())


def rewrite(path: Path) -> None:
    """Run a page and write into it what is printed today, and the pictures that it shows."""
    lines = path.read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        ran = list(run_page(path, Path(folder)))
        for part in reversed(ran):
            if part.shown is not None:
                end = part.first + len(part.shown)
                lines[part.first : end] = _cut(part.printed, part.shown)
        for picture in filter(None, map(PICTURE.match, lines)):
            made = Path(folder, Path(picture["path"]).name)
            if made.exists():
                shutil.copy(made, path.parent / picture["path"])
    path.write_text("\n".join(lines) + "\n")


def _cut(printed: tuple[str, ...], shown: tuple[str, ...]) -> list[str]:
    """Return as many lines of the start and the end as are shown around the first ellipsis."""
    if ELLIPSIS not in shown:
        return list(printed)
    head, tail = shown.index(ELLIPSIS), len(shown) - shown.index(ELLIPSIS) - 1
    if head + tail >= len(printed):
        return list(printed)
    return [*printed[:head], ELLIPSIS, *printed[len(printed) - tail :]]


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(TUTORIALS.glob("*.md")):
        rewrite(Path(name))
