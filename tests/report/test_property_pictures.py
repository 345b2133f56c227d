"""Pictures of predicted against measured values, and of several properties at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.report import plot_best_so_far, plot_pareto, plot_scatter

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
VALUES = RNG.normal(90, 1, 60)
PREDICTED = VALUES + RNG.normal(0, 0.3, 60)
POINTS = RNG.uniform(1, 2, (50, 3))
SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: Path) -> list[str]:
    """Return the texts in an SVG picture."""
    return [element.text or "" for element in ElementTree.parse(picture).iter(f"{SVG}text")]


def marks(picture: Path) -> int:
    """Return how many marks an SVG picture has."""
    return sum(1 for _ in ElementTree.parse(picture).iter(f"{SVG}use"))


def scatter(
    path: Path, measured: np.ndarray = VALUES, predicted: np.ndarray = PREDICTED, **options: Any
) -> None:
    described = {"name": "$accuracy$", "title": "Accuracies", "caption": "Spearman 0.9"}
    plot_scatter(measured, predicted, path, **described, **options)


def pareto(path: Path, properties: int = 2, **options: Any) -> None:
    described: dict[str, Any] = {
        "chosen": [0, 1, 2],
        "names": ["accuracy", "latency", "params"][:properties],
        "directions": (1, -1, -1)[:properties],
        "title": "Compromises",
    }
    points = options.pop("points", POINTS[:, :properties])
    plot_pareto(points, path, **(described | options))


# -- measured and predicted -----------------------------------------------------------------------


def test_a_scatter_plot_says_what_it_shows(tmp_path: Path) -> None:
    scatter(tmp_path / "a.svg", std=np.full(60, 0.3))
    shown = texts(tmp_path / "a.svg")
    labels = {"$accuracy$, measured", "$accuracy$, predicted"}
    assert {"Accuracies", "Spearman 0.9", *labels} <= set(shown)
    assert "line: predicted as measured; bars: one standard deviation" in shown
    scatter(tmp_path / "b.svg")
    assert "line: predicted as measured" in texts(tmp_path / "b.svg")


def test_of_many_architectures_no_bars_are_drawn(tmp_path: Path) -> None:
    values = RNG.normal(size=301)
    for count, bars in ((300, True), (301, False)):
        scatter(tmp_path / "a.svg", values[:count], values[:count] + 1, std=np.ones(count))
        assert any("bars" in text for text in texts(tmp_path / "a.svg")) == bars


def test_what_is_far_from_all_others_is_counted(tmp_path: Path) -> None:
    values = np.append(RNG.normal(90, 1, 1_000), [10.0] * 5)
    scatter(tmp_path / "a.svg", values, np.append(values[:-5], [12.0] * 5))
    (note,) = (text for text in texts(tmp_path / "a.svg") if "further out" in text)
    assert 5 <= int(note.split("; ")[1].split()[0]) < 20


@pytest.mark.parametrize("value", [0.0, -7.0, 1e12, 1e-12])
def test_odd_values_are_drawn(value: float, tmp_path: Path) -> None:
    same = np.full(3, value)
    scatter(tmp_path / "same.svg", same, same, std=np.zeros(3))
    scatter(tmp_path / "one.svg", same[:1], same[:1], std=np.array([np.nan]))
    gaps = np.array([value, np.nan, np.inf])
    scatter(tmp_path / "gaps.svg", gaps, same, std=np.ones(3))


# -- several properties ---------------------------------------------------------------------------


def test_a_bad_first_measurement_does_not_stretch_the_axis(tmp_path: Path) -> None:
    values = np.concatenate([[51.0], np.linspace(88, 94, 40)])
    path = tmp_path / "best.svg"
    plot_best_so_far(values, path, name="latency:here", title="Search")
    numbers = [float(text) for text in texts(path) if re.fullmatch(r"\d+", text)]
    assert not [number for number in numbers if 45 <= number <= 80]
    assert "latency:here (ms)" in texts(path)
    assert any("1 further out, not shown" in text for text in texts(path))


def test_two_properties_say_what_is_better(tmp_path: Path) -> None:
    options = {"random": POINTS[:, :2] + 0.5, "hypervolume": 0.81234}
    pareto(tmp_path / "a.svg", **options)
    shown = texts(tmp_path / "a.svg")
    assert {"accuracy (%), higher is better", "latency, lower is better"} <= set(shown)
    assert {"random", "generated", "chosen", "Compromises"} <= set(shown)
    assert "3 chosen, of 50 generated architectures, hypervolume 0.8123" in shown
    pareto(tmp_path / "b.svg")
    shown = texts(tmp_path / "b.svg")
    assert "random" not in shown
    assert "3 chosen, of 50 generated architectures" in shown


def test_three_properties_are_drawn_by_pairs(tmp_path: Path) -> None:
    pareto(tmp_path / "a.svg", 3)
    shown = texts(tmp_path / "a.svg")
    for label in ("accuracy (%), higher", "latency, lower", "params (M), lower"):
        assert shown.count(f"{label} is better") == 2
    pareto(tmp_path / "b.svg", 2)
    assert marks(tmp_path / "a.svg") > 2 * marks(tmp_path / "b.svg")


@pytest.mark.parametrize("directions", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_the_staircase_bounds_what_is_no_better(
    directions: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    drawn: list[Any] = []
    plot = Axes.plot

    def recorded(axes: Axes, *arguments: Any, **options: Any) -> Any:
        lines = plot(axes, *arguments, **options)
        drawn.extend(lines if "drawstyle" in options else [])
        return lines

    monkeypatch.setattr(Axes, "plot", recorded)
    front = np.array([[3.0, 1.0], [1.0, 3.0], [2.0, 2.0]]) * directions
    pareto(tmp_path / "a.svg", points=front, chosen=[0, 1, 2], directions=directions)
    (line,) = drawn
    x, y = line.get_data()
    np.testing.assert_array_equal(np.stack([x, y], 1) * directions, [[1, 3], [2, 2], [3, 1]])
    # Steps of this kind change y first, so that the corners are no better than the points.
    assert line.get_drawstyle() == "steps-pre"


def test_the_chosen_are_always_shown(tmp_path: Path) -> None:
    points = np.append(RNG.normal(0, 1, (500, 2)), [[100, -100], [1e4, -1e4]], axis=0)
    pareto(tmp_path / "a.svg", points=points, chosen=[500])
    shown = texts(tmp_path / "a.svg")
    assert {"100", "\u2212100"} <= set(shown)
    assert "1 further out, not shown" in shown


def test_odd_points_are_drawn(tmp_path: Path) -> None:
    nan = np.array([[1.0, np.nan], [2.0, 3.0], [np.inf, 1.0]])
    pareto(tmp_path / "a.svg", points=nan, chosen=[0, 1, 2], random=np.zeros((0, 2)))
    assert "1 chosen, of 1 generated architectures" in texts(tmp_path / "a.svg")
    pareto(tmp_path / "b.svg", points=np.ones((4, 2)), chosen=[])
    assert "chosen" not in texts(tmp_path / "b.svg")


def test_arguments_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    for count in (1, 4):
        names = ["p"] * count
        with pytest.raises(DiffusionNAGError, match=f"by each other, not {count}"):
            pareto(path, points=np.ones((5, count)), names=names, directions=[1] * count)
    wrong: list[dict[str, Any]] = [
        {"directions": (1,)},
        {"directions": (1, 0)},
        {"points": POINTS},
        {"random": POINTS},
        {"chosen": [50]},
        {"chosen": [-1]},
    ]
    for options in wrong:
        with pytest.raises(ValueError):
            pareto(path, **options)
    assert not list(tmp_path.iterdir())


# -- both kinds of pictures -----------------------------------------------------------------------


def nothing_measured(path: Path) -> None:
    scatter(path, VALUES, np.full(60, np.nan))


def nothing_generated(path: Path) -> None:
    pareto(path, points=np.full((3, 2), np.nan), random=POINTS[:, :2])


Draw = Callable[[Path], None]
BOTH = pytest.mark.parametrize("draw", [scatter, pareto])


@pytest.mark.parametrize("draw", [nothing_measured, nothing_generated])
def test_nothing_to_draw_is_an_error(draw: Draw, tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match="nothing to draw in"):
        draw(tmp_path / "none.svg")
    assert not list(tmp_path.iterdir())


@BOTH
@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_repeated_pictures_are_identical(draw: Draw, suffix: str, tmp_path: Path) -> None:
    first, second = (tmp_path / f"{name}{suffix}" for name in ("first", "second"))
    draw(first)
    draw(second)
    assert first.read_bytes() == second.read_bytes()


@BOTH
def test_what_cannot_be_drawn_is_reported(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DiffusionNAGError, match=r"\.svg, \.png, \.pdf"):
        draw(tmp_path / "picture.jpg")
    with pytest.raises(EnvironmentFailureError, match=r"cannot write .* no folder"):
        draw(tmp_path / "missing" / "picture.svg")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DiffusionNAGError, match=r"pip install 'diffusionnag\[report\]'"):
        draw(tmp_path / "picture.svg")
    assert not list(tmp_path.iterdir())
