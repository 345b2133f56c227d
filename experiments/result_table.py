"""Results as small Markdown files that say where they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffusionnag._files import write_atomically
from diffusionnag.artifacts.model_cards import commit, machine, today

BENCHMARKS = Path(__file__).parent.parent / "results"
"""Where benchmarks write their tables."""


@dataclass(frozen=True)
class ResultTable:
    """One table of results: rows of as many cells as there are columns, and what to know of them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    picture: Callable[[Path], None] | None = None
    """Draws what belongs to the table into a file (.png)."""


def write_result(table: ResultTable, path: Path, *, command: str, machine: str, date: str) -> None:
    """Write a table with its command, commit, machine and date as Markdown, atomically.

    Its picture, if it has one, goes beside it, with the suffix .png.
    """
    lines = [f"# {table.title}", "", _row(table.columns), _row(["---"] * len(table.columns))]
    lines += [_row(row) for row in table.rows]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    lines += ["", f"`{command}`, commit {commit()}, {machine}, {date}"]
    if table.picture is not None:
        picture = path.with_suffix(".png")
        table.picture(picture)
        lines += ["", f"![{table.title}]({picture.name})"]
    with write_atomically(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_benchmark(table: ResultTable, name: str) -> None:
    """Write the table of a benchmark into results/, with command, machine and date, and print it."""
    path = BENCHMARKS / f"{name}.md"
    write_result(table, path, command="make bench", machine=machine(), date=today())
    print(path.read_text(encoding="utf-8"))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
