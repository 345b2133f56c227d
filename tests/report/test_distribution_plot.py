"""Pictures of distributions, and what holds of every picture."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.report import draw_picture, plot_distributions
from diffusionnag.spaces import get_search_space

pytest.importorskip("matplotlib")

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"


def texts(picture: Path) -> list[str]:
    """Return the texts in an SVG picture."""
    root = ElementTree.parse(picture).getroot()
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


# -- distributions --------------------------------------------------------------------------------


def plot(groups: dict[str, np.ndarray], path: Path) -> list[str]:
    plot_distributions(groups, path, xlabel="accuracy (%)", title="Accuracies")
    return texts(path) if path.suffix == ".svg" else []


def test_groups_are_named_with_mean_and_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    groups = {"random": rng.normal(90, 1, 1_000), "top $1,000": np.linspace(93, 94, 500)}
    shown = plot(groups, tmp_path / "accuracies.svg")
    assert {"random", "top $1,000", "accuracy (%)", "Accuracies"} <= set(shown)
    assert "mean 93.500, n = 500" in shown
    assert not any("below" in text or "above" in text for text in shown)


def test_a_heavy_tail_is_cut_and_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    body = rng.normal(90, 1, 1_000)
    shown = plot({"random": np.append(body, [10.0] * 30), "good": body + 3}, tmp_path / "a.svg")
    (note,) = (text for text in shown if "below" in text)
    assert 30 <= int(note.strip("\u2190 below")) <= 0.05 * 1_030
    ticks = [float(text) for text in shown if text.replace(".", "").isdigit()]
    assert min(ticks) > 80
    shown = plot({"latency": np.append(body, [1e3] * 7)}, tmp_path / "b.svg")
    assert "7 above \u2192" in shown


def test_odd_groups_are_drawn(tmp_path: Path) -> None:
    nan, inf = np.nan, np.inf
    groups = {
        "few": np.array([1.0, 2.0]),
        "same": np.full(50, 3.0),
        "nearly": np.full(50, 0.1 + 0.2) + np.array([0.0, 1e-16] * 25),
        "gaps": np.array([nan, 2.0, inf, -inf]),
        "mostly one": np.append(np.full(99, 2.0), 1.0),
        "nothing": np.array([nan]),
        "empty": np.array([]),
        "integers": np.arange(20),
    }
    shown = plot(groups, tmp_path / "odd.svg")
    assert {"few", "same", "nearly", "gaps", "mostly one", "integers"} <= set(shown)
    assert not {"nothing", "empty"} & set(shown)
    assert any(text.endswith("n = 1") for text in shown)


@pytest.mark.parametrize("value", [0.0, -7.0, 1e12, 1e-12])
def test_a_single_value_can_be_drawn(value: float, tmp_path: Path) -> None:
    assert plot({"one": np.full(20, value)}, tmp_path / "one.svg")


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    for groups in ({}, {"empty": np.array([np.nan])}):
        with pytest.raises(DiffusionNAGError, match="no group has a value"):
            plot(groups, tmp_path / "none.svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_repeated_distributions_are_identical(suffix: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=500)
    for name in ("first", "second"):
        plot({"some": values, "others": values + 1}, tmp_path / f"{name}{suffix}")
    first, second = (tmp_path / f"{name}{suffix}" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


# -- both kinds of pictures -----------------------------------------------------------------------


def draw_cell(path: Path) -> None:
    space = get_search_space("nasbench201")
    draw_picture(space, space.parse(CELL), path)


def draw_values(path: Path) -> None:
    plot({"values": np.arange(20.0)}, path)


BOTH = pytest.mark.parametrize("draw", [draw_cell, draw_values])


@BOTH
@pytest.mark.parametrize("name", ["picture.jpg", "picture"])
def test_another_suffix_is_refused(draw: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match=r"\.svg, \.png, \.pdf"):
        draw(tmp_path / name)
    assert not list(tmp_path.iterdir())


@BOTH
def test_a_missing_folder_is_reported(draw: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailureError, match=r"cannot write .* no folder"):
        draw(tmp_path / "missing" / "picture.svg")


@BOTH
def test_missing_matplotlib_is_reported(
    draw: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DiffusionNAGError, match=r"pip install 'diffusionnag\[report\]'"):
        draw(tmp_path / "picture.svg")


def test_matplotlib_is_not_loaded_before_a_picture_is_drawn() -> None:
    code = "import diffusionnag.report, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
