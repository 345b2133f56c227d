"""Files that hold one picture: which formats there are, and how to write one reproducibly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from diffusionnag._files import write_atomically
from diffusionnag._packages import require_packages
from diffusionnag.errors import DiffusionNAGError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DATES = {".svg": "Date", ".png": None, ".pdf": "CreationDate"}
"""The formats by suffix, each with the name under which it would note the date."""
INK, GREY, PALE = "#222222", "#666666", "#E5E5E5"
# Okabe & Ito's colours, which colour-blind people can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
MARGIN, LINE = 0.25, 0.17
"""In inches: around a picture, and from one line of its text to the next."""
NOTE_SIZE, AXIS_SIZE, TITLE_SIZE = 8.0, 10.0, 11.0
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "diffusionnag",
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "text.parse_math": False,
}


@contextmanager
def open_figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of a size in inches; it is written to `path` when the block ends.

    The user's own matplotlib settings have no effect, and the same picture gives the same bytes.
    Raises DiffusionNAGError for a suffix that is no format, and where matplotlib is missing.
    """
    suffix = check_picture(path)
    from matplotlib import style
    from matplotlib.figure import Figure

    date = DATES[suffix]
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(width, height), facecolor="white")
        yield figure
        with write_atomically(path) as temporary:
            metadata = {date: None} if date else None
            figure.savefig(temporary, format=suffix[1:], metadata=metadata)


def check_picture(path: Path) -> str:
    """Return the suffix of a picture in lower case, if it can be written at all.

    Raises DiffusionNAGError for a suffix that is no format, and where matplotlib is missing.
    """
    suffix = path.suffix.lower()
    if suffix not in DATES:
        raise DiffusionNAGError(f"a picture ends in {', '.join(DATES)}: {path} does not")
    require_packages("report", "matplotlib")
    return suffix


def write_heading(figure: Figure, title: str, caption: str = "") -> None:
    """Write a title at the top left of a figure, and a line in smaller print below it."""
    width, height = figure.get_size_inches()
    x, y = MARGIN / width, 1 - (MARGIN + LINE / 2) / height
    figure.text(x, y, title, size=TITLE_SIZE, weight="bold", color=INK)
    if caption:
        figure.text(x, y - 1.2 * LINE / height, caption, size=NOTE_SIZE, color=GREY)


def write_note(figure: Figure, text: str, right: float | None = None) -> None:
    """Write small print at the bottom, ending `right` inches from the left or at the margin.

    What is too long is broken at its semicolons.
    """
    width, height = figure.get_size_inches()
    end = width - MARGIN if right is None else right
    lines = [""]
    for part in text.split("; "):
        longer = f"{lines[-1]}; {part}" if lines[-1] else part
        if text_width(longer, NOTE_SIZE) <= end - MARGIN:
            lines[-1] = longer
        else:
            lines.append(part)
    style = {"size": NOTE_SIZE, "color": GREY, "ha": "right"}
    for place, line in enumerate(filter(None, reversed(lines))):
        figure.text(end / width, (MARGIN + place * LINE) / height, line, **style)


def add_panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return new axes whose place in the figure is given in inches."""
    whole_width, whole_height = figure.get_size_inches()
    box = (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    return figure.add_axes(box)


def add_legend(
    figure: Figure, marks: Mapping[str, Artist], top: float, columns: int, **spacing: float
) -> None:
    """Explain the marks by name at the left margin, `top` inches below the figure's upper edge."""
    width, height = figure.get_size_inches()
    figure.legend(
        list(marks.values()),
        list(marks),
        loc="upper left",
        bbox_to_anchor=(MARGIN / width, 1 - top / height),
        ncols=columns,
        fontsize=NOTE_SIZE,
        labelcolor=GREY,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        **spacing,
    )


def heading_width(title: str, caption: str = "") -> float:
    """Return how wide a figure must be for its title and caption, in inches."""
    written = (text_width(title, TITLE_SIZE, weight="bold"), text_width(caption, NOTE_SIZE))
    return max(written) + 2 * MARGIN


def text_width(text: str, size: float, family: str = "sans-serif", weight: str = "normal") -> float:
    """Return how wide a text is in inches."""
    if not text:
        return 0.0
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=family, weight=weight, size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return width / 72
