"""Architectures as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diffusionnag.report._figure import (
    GREY,
    INK,
    LINE,
    MARGIN,
    TITLE_SIZE,
    check_picture,
    open_figure,
    text_width,
)
from diffusionnag.report._layered_layout import layered_layout
from diffusionnag.report._layout import (
    COLUMN_GAP,
    Layout,
    Row,
    chain_layout,
    group_and_part,
    headings,
    is_chain,
    without_wiring_nodes,
    wrapped_rows,
)
from diffusionnag.report.architecture_text import (
    UNDECIDED_MARK,
    wrap_architecture,
    written_operations,
)
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.search_space import SearchSpace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ABSENT = "none"
"""The operation that does nothing, in any case of letters; it is drawn faintly."""

# Paul Tol's colour schemes "light" and "pale", which colour-blind people can tell apart and on
# which black text is legible.
COLOURS = (
    *("#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#99DDFF", "#44BB99", "#BBCC33", "#AAAA00"),
    *("#BBCCEE", "#FFCCCC", "#CCDDAA", "#EEEEBB", "#CCEEFF"),
)
FAINT, ALARM, GIVEN = "#B8B8B8", "#CC3311", "#EEEEEE"
"""What is absent, what is undecided, and nodes without a choice."""
NAME_SIZE, OPERATION_SIZE, STRING_SIZE = 7.5, 10.0, 8.0
PADDING = 0.12
LOW_BOX, HIGH_BOX = 0.36, 0.5
NARROWEST, ROW_WIDTH = 6.0, 9.0


def draw_picture(space: SearchSpace, architecture: Architecture, path: Path) -> None:
    """Draw an architecture into an SVG, PNG or PDF file, whichever the suffix of `path` says.

    A chain stands in rows, by group if its nodes are named `group.part`; any other graph stands
    in layers. Raises DiffusionNAGError for another suffix, and where matplotlib is missing.
    """
    check_picture(path)
    plan = _plan(space, architecture)
    name, size, string = _title(space, architecture)
    indent = text_width(name, TITLE_SIZE, weight="bold") + 2 * PADDING
    title_width = indent + text_width(size, OPERATION_SIZE)
    content = max(title_width, plan.label_width + plan.layout.width)
    width = max(NARROWEST, content + 2 * MARGIN)
    digit = text_width("0" * 100, STRING_SIZE, "monospace") / 100
    lines = wrap_architecture(string, int((width - 2 * MARGIN) / digit))
    top = (len(lines) + (3.5 if plan.columns else 2)) * LINE + 2 * MARGIN
    left = MARGIN + plan.label_width
    if not plan.label_width:
        left = (width - plan.layout.width) / 2
    height = top + plan.layout.height + MARGIN
    with open_figure(path, width, height) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(-left, width - left), ylim=(height - top, -top))
        x, y = MARGIN - left, MARGIN - top + LINE
        axes.text(x, y, name, size=TITLE_SIZE, weight="bold", color=INK)
        axes.text(x + indent, y, size, size=OPERATION_SIZE, color=INK)
        for number, line in enumerate(lines, start=1):
            style = {"size": STRING_SIZE, "family": "monospace", "color": GREY}
            axes.text(MARGIN - left, y + (number + 0.3) * LINE, line, **style)
        _draw(axes, plan, left)


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that a picture shows below its title."""

    layout: Layout
    box: tuple[float, float]
    names: list[str]
    operations: list[str]
    fills: list[str]
    faint: frozenset[int]
    rows: list[Row]
    columns: list[str]
    label_width: float


def _plan(space: SearchSpace, architecture: Architecture) -> _Plan:
    written = written_operations(space, architecture)
    nodes, edges = without_wiring_nodes(architecture, space.wiring.nodes)
    names = [space.nodes[node] for node in nodes]
    operations = [written[node] for node in nodes]
    linked = {node for edge in edges for node in edge} or set(range(len(names)))
    absent = {node for node, operation in enumerate(operations) if operation.lower() == ABSENT}
    faint = frozenset(absent | (set(range(len(names))) - linked))
    rows: list[Row] = []
    columns: list[str] = []
    widest = max(text_width(operation, OPERATION_SIZE) for operation in operations)
    if space.wiring.is_fixed and is_chain(len(names), edges):
        room = max(3, int(ROW_WIDTH / (widest + 2 * PADDING + COLUMN_GAP)))
        rows = wrapped_rows(names, room)
        columns = headings(names, rows) if len(rows) > 1 else []
        names = ["" if columns and group_and_part(name)[0] else name for name in names]
        if any(row.label for row in rows):
            names = [group_and_part(name)[1] for name in names]
    names = ["" if name == op else name for name, op in zip(names, operations, strict=True)]
    widest = max(widest, *(text_width(name, NAME_SIZE) for name in names))
    widest = max(widest, *(text_width(column, NAME_SIZE) - COLUMN_GAP for column in columns), 0)
    box = (max(0.7, widest + 2 * PADDING), HIGH_BOX if any(names) else LOW_BOX)
    layout = chain_layout(rows, box, faint) if rows else layered_layout(len(names), edges, box)
    labels = max((text_width(row.label, OPERATION_SIZE, weight="bold") for row in rows), default=0)
    fills = [
        COLOURS[architecture.operations[node] % len(COLOURS)]
        if space.allowed[node].sum() > 1
        else GIVEN
        for node in nodes
    ]
    label_width = labels + 2 * PADDING if labels else 0.0
    return _Plan(layout, box, names, operations, fills, faint, rows, columns, label_width)


def _draw(axes: Axes, plan: _Plan, left: float) -> None:
    """Draw boxes, arrows and the names of rows and columns into axes whose unit is an inch."""
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path as Curve

    (width, height), layout = plan.box, plan.layout
    for arrow in layout.arrows:
        codes = [Curve.MOVETO] + [Curve.CURVE4] * (len(arrow.points) - 1)
        colour = FAINT if {arrow.source, arrow.target} & plan.faint else GREY
        curve = Curve(arrow.points, codes)
        style = {"arrowstyle": "-|>", "mutation_scale": 9, "linewidth": 1.1, "color": colour}
        axes.add_patch(FancyArrowPatch(path=curve, capstyle="butt", **style))
    for node, (x, y) in enumerate(layout.centres):
        faint, undecided = node in plan.faint, plan.operations[node] == UNDECIDED_MARK
        corner = (x - width / 2, y - height / 2)
        patch = FancyBboxPatch(corner, width, height, "round,pad=0,rounding_size=0.08", zorder=3)
        patch.set(facecolor="white" if faint or undecided else plan.fills[node])
        patch.set(edgecolor=ALARM if undecided else FAINT if faint else INK, linewidth=0.8)
        patch.set(linestyle="--" if faint or undecided else "-")
        axes.add_patch(patch)
        name, operation = plan.names[node], plan.operations[node]
        text = {"ha": "center", "va": "center_baseline", "zorder": 4}
        text["color"] = ALARM if undecided else FAINT if faint else INK
        axes.text(x, y + (0.08 if name else 0), operation, size=OPERATION_SIZE, **text)
        axes.text(x, y - 0.13, name, size=NAME_SIZE, **text)
    for row in plan.rows:
        y = layout.centres[row.nodes[0]][1]
        style = {"size": OPERATION_SIZE, "weight": "bold", "color": INK, "va": "center"}
        axes.text(MARGIN - left, y, row.label, **style)
    widest = max(plan.rows, key=lambda row: len(row.nodes), default=None)
    for node, column in zip(widest.nodes if widest else (), plan.columns, strict=False):
        x = layout.centres[node][0]
        axes.text(x, -LINE, column, size=NAME_SIZE, color=GREY, ha="center", va="center")


def _title(space: SearchSpace, architecture: Architecture) -> tuple[str, str, str]:
    """Return the space's name, an architecture's size and its string; or why it is not valid."""
    validity = space.is_valid(architecture)
    if not validity:
        return space.name, "not valid", validity.reason
    units = {"params": "M parameters", "macs": "M MACs"}
    properties = [
        f"{_number(value)} {units.get(name, name.replace('_', ' '))}"
        for name, value in space.analytic_properties(architecture).items()
    ]
    return space.name, ", ".join(properties), space.format(architecture)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
