"""Architectures as text and as pictures: all that they hold, whatever their wiring."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.report import draw_picture, draw_text
from diffusionnag.report._layered_layout import layered_layout
from diffusionnag.report.architecture_text import wrap_architecture
from diffusionnag.spaces import UNDECIDED, Architecture, SearchSpace, get_search_space

pytest.importorskip("matplotlib")

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
MOBILE = "7-6,5-4,none,none|3-3,3-4,3-6,none|5-3,5-6,7-3,7-4|3-3,3-3,none,none|7-6,7-6,7-6,7-6"
MNASNET = "e1k3l1s0|e4k3l2s1|e6k5l3s0|e4k5l1s1|e6k3l2s0|e6k5l4s1|e1k3l1s0"


class Residual(SearchSpace):
    """A chain of blocks with connections that skip some, and a name that could be mathematics."""

    name = "residual"
    nodes = ("image", *(f"block{i}" for i in range(1, 6)), "classes")
    operations = ("image", "conv3x3", "conv5x5", "$x^2$", "none", "classes")
    edges = ((0, 1), (0, 3), (1, 2), (2, 3), (3, 4), (3, 6), (4, 5), (5, 6))

    def choices(self, node: int) -> tuple[str, ...]:
        return {0: ("image",), 6: ("classes",)}.get(node, self.operations[1:-1])


class Plain(SearchSpace):
    """A long chain whose nodes have no groups."""

    name = "plain"
    nodes = tuple(f"layer{i}" for i in range(24))
    operations = ("identity", "mbconv_e3_k3")
    edges = tuple((i, i + 1) for i in range(23))


ARCHITECTURES = {
    "nasbench201": (get_search_space("nasbench201"), CELL),
    "mobilenetv3": (get_search_space("mobilenetv3"), MOBILE),
    "mnasnet": (get_search_space("mnasnet"), MNASNET),
    "residual": (Residual(), "image|conv3x3|none|conv5x5|$x^2$|conv3x3|classes"),
    "plain": (Plain(), "|".join(["identity", "mbconv_e3_k3"] * 12)),
}
EACH = pytest.mark.parametrize(
    ("space", "string"), [pytest.param(*pair, id=name) for name, pair in ARCHITECTURES.items()]
)


def texts(picture: Path) -> list[str]:
    """Return the texts in an SVG picture."""
    root = ElementTree.parse(picture).getroot()
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


# -- text -----------------------------------------------------------------------------------------


def test_a_cell_is_written_in_layers_with_what_each_node_feeds() -> None:
    space = get_search_space("nasbench201")
    assert draw_text(space, space.parse(CELL)).splitlines() == [
        "layer  node    operation     feeds",
        "0      input   input         -> 0>1, 0>2, 0>3",
        "1      0>1     nor_conv_3x3  -> 1>2, 1>3",
        "       0>2     none          -> 2>3",
        "       0>3     skip_connect  -> output",
        "2      1>2     nor_conv_1x1  -> 2>3",
        "       1>3     avg_pool_3x3  -> output",
        "3      2>3     nor_conv_3x3  -> output",
        "4      output  output",
    ]


def test_a_chain_is_written_in_a_line_for_each_group() -> None:
    space = get_search_space("mobilenetv3")
    lines = draw_text(space, space.parse(MOBILE)).splitlines()
    assert lines[:3] == [
        "        layer1  layer2  layer3  layer4",
        "stage1  7-6     5-4     none    none",
        "stage2  3-3     3-4     3-6     none",
    ]
    assert len(lines) == 6
    space = get_search_space("mnasnet")
    lines = draw_text(space, space.parse(MNASNET)).splitlines()
    assert lines[0].split() == ["expansion", "kernel", "layers", "squeeze_excite"]
    assert lines[6].split() == ["block5", "e6", "k5", "l4", "s1"]


def test_a_chain_without_groups_is_written_in_a_line_for_each_node() -> None:
    space, string = ARCHITECTURES["plain"]
    lines = draw_text(space, space.parse(string)).splitlines()
    assert lines[:2] == ["layer0   identity", "layer1   mbconv_e3_k3"]
    assert len(lines) == 24


def test_groups_of_different_parts_name_them() -> None:
    class Mixed(Plain):
        name = "mixed"
        nodes = ("stem", "a.first", "a.second", "b.only", "b.last")
        edges = ((0, 1), (1, 2), (2, 3), (3, 4))

    space = Mixed()
    assert draw_text(space, space.build(["identity"] * 5)).splitlines() == [
        "stem  identity",
        "a     first identity -> second identity",
        "b     only identity -> last identity",
    ]


def test_an_undecided_node_is_marked() -> None:
    space = get_search_space("nasbench201")
    cell = space.parse(CELL)
    undecided = Architecture((*cell.operations[:1], UNDECIDED, *cell.operations[2:]), cell.edges)
    assert "1      0>1     ?  " in draw_text(space, undecided)


def test_an_architecture_of_another_space_is_refused() -> None:
    space = get_search_space("nasbench201")
    with pytest.raises(DiffusionNAGError, match="2 nodes cannot be drawn: nasbench201 has 8"):
        draw_text(space, Architecture((1, 1), ((0, 1),)))


@given(st.text(st.sampled_from("ab~3|+, "), max_size=60), st.integers(1, 30))
def test_wrapping_loses_nothing_and_keeps_the_width(string: str, width: int) -> None:
    lines = wrap_architecture(string, width)
    assert all(len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == string.replace(" ", "")


def test_strings_are_broken_between_their_largest_parts() -> None:
    assert wrap_architecture(CELL, 75) == [CELL[:41], CELL[41:]]
    assert wrap_architecture("3-3,3-4|5-3,none|7-6,7-6", 20) == ["3-3,3-4|5-3,none|", "7-6,7-6"]


# -- pictures of architectures --------------------------------------------------------------------


@EACH
def test_a_picture_has_every_operation_and_the_string(
    space: SearchSpace, string: str, tmp_path: Path
) -> None:
    picture, architecture = tmp_path / "a.svg", space.parse(string)
    draw_picture(space, architecture, picture)
    shown = texts(picture)
    for operation in set(space.operation_names(architecture)):
        wanted = space.operation_names(architecture).count(operation)
        assert shown.count(operation) >= wanted
    assert string in "".join(shown)
    assert space.name in shown


def test_the_size_is_in_the_title(tmp_path: Path) -> None:
    space = get_search_space("nasbench201")
    cell = space.parse(CELL)
    size = space.analytic_properties(cell)
    draw_picture(space, cell, tmp_path / "cell.svg")
    title = f"{size['params']:.3g} M parameters, {size['macs']:.3g} M MACs"
    assert title in texts(tmp_path / "cell.svg")


@pytest.mark.parametrize("name", ["nasbench201", "mobilenetv3"])
@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")]
)
def test_repeated_pictures_are_identical(
    name: str, suffix: str, start: bytes, tmp_path: Path
) -> None:
    space, string = ARCHITECTURES[name]
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix.upper()}"
    for path in (first, second):
        draw_picture(space, space.parse(string), path)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(start)
    assert len(list(tmp_path.iterdir())) == 2


def test_settings_of_matplotlib_have_no_effect(tmp_path: Path) -> None:
    import matplotlib

    space, string = ARCHITECTURES["residual"]
    draw_picture(space, space.parse(string), tmp_path / "usual.svg")
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": True}):
        draw_picture(space, space.parse(string), tmp_path / "changed.svg")
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / "usual.svg").read_bytes() == (tmp_path / "changed.svg").read_bytes()


def test_a_png_can_be_opened(tmp_path: Path) -> None:
    from matplotlib.image import imread

    space = get_search_space("nasbench201")
    draw_picture(space, space.parse(CELL), tmp_path / "cell.png")
    height, width, _ = imread(tmp_path / "cell.png").shape
    assert 1_000 < width < 2_000
    assert 500 < height < 2_000


def test_what_is_not_valid_is_drawn_with_the_reason(tmp_path: Path) -> None:
    space = get_search_space("mobilenetv3")
    network = space.parse(MOBILE)
    undecided = Architecture((UNDECIDED, *network.operations[1:]), network.edges)
    draw_picture(space, undecided, tmp_path / "network.svg")
    shown = texts(tmp_path / "network.svg")
    assert {"?", "not valid", "node stage1.layer1 has no operation"} <= set(shown)


@pytest.mark.parametrize("edges", [(), ((0, 2),), ((0, 1), (0, 2), (1, 2))])
def test_any_wiring_can_be_drawn(edges: tuple[tuple[int, int], ...], tmp_path: Path) -> None:
    class Few(Plain):
        name = "few"
        nodes = ("a", "b", "c")

    space = Few()
    draw_picture(space, Architecture((0, 1, 0), edges), tmp_path / "few.svg")
    assert texts(tmp_path / "few.svg").count("identity") == 2


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_arrows_cross_no_boxes_and_boxes_do_not_overlap(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    width, height = box = (1.2, 0.5)
    layout = layered_layout(count, sorted(edges), box)
    centres = np.array(layout.centres)
    assert {(arrow.source, arrow.target) for arrow in layout.arrows} == set(edges)
    for node, (x, y) in enumerate(centres):
        across, down = np.abs(np.delete(centres, node, axis=0) - (x, y)).T
        assert ((across > width) | (down > height)).all()
    for arrow in layout.arrows:
        points = np.array(arrow.points)
        t = np.linspace(0, 1, 20)[:, None]
        for start in range(0, len(points) - 1, 3):
            a, b, c, d = points[start : start + 4]
            way = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
            across, down = np.abs(way[:, None] - centres[None]).transpose(2, 0, 1)
            assert not ((across < width / 2 - 1e-6) & (down < height / 2 - 1e-6)).any()
