"""Writes each tutorial as a notebook, with the outputs and pictures of its page.

`python docs/scripts/notebooks.py`; nothing is run: the pages were (`pages.py`), and are by the tests.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from pages import PICTURE, TUTORIALS, Block, read_blocks, read_commands

FOLDER = TUTORIALS / "notebooks"
LINK = re.compile(r"\]\((?!https:)([^)\s]+)\)")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

Cell = dict[str, Any]


def notebook(page: Path) -> str:
    """Return a page as a notebook: its text, its blocks with what they print, its pictures."""
    lines, blocks = page.read_text().splitlines(), read_blocks(page.read_text())
    cells: list[Cell] = []
    start = 0
    for block, before in zip(blocks, [None, *blocks], strict=False):
        cells += _text(lines[start : block.first - 1], page)
        if block.language == "text" and before is not None and before.language == "python":
            cells[-1]["outputs"] = _printed(block.lines)
        else:
            cells.append(_code(block))
        start = block.first + len(block.lines) + 1
    cells += _text(lines[start:], page)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    content = {
        "cells": cells,
        "metadata": {"kernelspec": KERNEL},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _text(lines: list[str], page: Path) -> Iterator[Cell]:
    text: list[str] = []
    for line in lines:
        if picture := PICTURE.match(line):
            yield from _markdown(text)
            yield _picture(page.parent / picture["path"])
            text = []
        else:
            text.append(line)
    yield from _markdown(text)


def _markdown(lines: list[str]) -> Iterator[Cell]:
    text = "\n".join(lines).strip()
    if text:
        # Notebooks lie one folder deeper than pages.
        source = LINK.sub(r"](../\1)", text)
        yield {"cell_type": "markdown", "metadata": {}, "source": source}


def _picture(path: Path) -> Cell:
    data = base64.b64encode(path.read_bytes()).decode()
    shown = {"image/png": data, "text/plain": "<IPython.core.display.Image object>"}
    output = {
        "output_type": "execute_result",
        "execution_count": None,
        "data": shown,
        "metadata": {},
    }
    source = f'from IPython.display import Image\n\nImage("{path.name}", width=700)'
    return _code_cell(source, [output])


def _code(block: Block) -> Cell:
    if block.title:
        return _code_cell("\n".join([f"%%writefile {block.title}", *block.lines]), [])
    if block.language != "console":
        return _code_cell("\n".join(block.lines), [])
    commands = read_commands(block)
    shown = [line for command in commands for line in command.shown]
    # The number of a failure would end the notebook where the page goes on.
    fails = any(line.startswith("error:") for line in shown)
    first = "%%bash --no-raise-error" if fails else "%%bash"
    return _code_cell("\n".join([first, *(command.text for command in commands)]), _printed(shown))


def _printed(lines: tuple[str, ...] | list[str]) -> list[dict[str, Any]]:
    if not lines:
        return []
    return [{"output_type": "stream", "name": "stdout", "text": "\n".join(lines) + "\n"}]


def _code_cell(source: str, outputs: list[dict[str, Any]]) -> Cell:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs,
        "source": source,
    }


def tutorials() -> list[Path]:
    """Return the pages that are notebooks too."""
    return sorted(set(TUTORIALS.glob("*.md")) - {TUTORIALS / "index.md"})


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for page in tutorials():
        (FOLDER / f"{page.stem}.ipynb").write_text(notebook(page))
