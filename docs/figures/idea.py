"""Draws the README's picture, light and dark: `python docs/figures/idea.py`.

Everything in it is data: one walk of the shipped NAS-Bench-201 generator under the guidance of the
shipped CIFAR-10 predictor, and the true accuracy (analog-nasbench, `pip install 'diffusionnag[bench]'`)
of 1,000 uniform and 1,000 guided cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon
from scipy.stats import gaussian_kde
from torch import Tensor

from diffusionnag import Generator, PropertyPredictor, maximize
from diffusionnag.diffusion.guided import guidance_gradient
from diffusionnag.diffusion.solvers import get_solver, time_grid
from diffusionnag.tables import measured_table

SEED, STEPS = 26, 16
STAGES, PULLS = (0, 7, 16), (3, 8)
"""The solver's steps shown: noise, half decided, finished; and the pulls between them."""
OPERATIONS = {
    "none": "#9AA3AD",
    "skip": "#5B8DEF",
    "conv 1×1": "#2BB3A3",
    "conv 3×3": "#F2704E",
    "pool 3×3": "#F0B429",
}
"""The five operations of an edge, in the generator's order, which follows a first column `input`."""
EDGES = {(0, 1): 0.0, (0, 2): 0.62, (1, 2): 0.0, (0, 3): -0.62, (1, 3): 0.62, (2, 3): 0.0}
"""The six edges of a cell in the generator's order of nodes, each with the height of its arc."""


@dataclass(frozen=True)
class Theme:
    """The colours of one variant."""

    ink: str
    soft: str
    faint: str
    ground: str
    accent: str = "#F2704E"
    pull: str = "#8B6CEF"


THEMES = {
    "light": Theme(ink="#1F2933", soft="#66727F", faint="#EDF0F3", ground="#FFFFFF"),
    "dark": Theme(ink="#E6EDF3", soft="#94A1AE", faint="#1C242E", ground="#0D1117"),
}


@dataclass(frozen=True)
class Step:
    """One step of the walk, each a `6 x 5` matrix: the noisy cell, its estimate, the pull on it."""

    sigma: float
    noisy: np.ndarray
    estimate: np.ndarray
    pull: np.ndarray


def walk() -> list[Step]:
    """Return the steps by which one cell takes shape, guided to a high CIFAR-10 accuracy."""
    generator = Generator.from_pretrained("nasbench201")
    guide = maximize(PropertyPredictor.from_pretrained("nasbench201-cifar10"))
    sde, solver = generator.denoiser.sde, get_solver("ancestral")
    random = torch.Generator().manual_seed(SEED)
    steps: list[Step] = []

    def randn(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=random)

    def matrix(values: Tensor) -> np.ndarray:
        return values[0, 1:7, 1:6].numpy().copy()

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        clean, gradient, _ = guidance_gradient(generator.denoiser, guide, x, sigma)
        pull = sigma**2 * gradient
        steps.append(Step(float(sigma), matrix(x), matrix(clean), matrix(pull)))
        return clean + pull

    x = randn(torch.empty(1, 8, 7)) * sde.prior_std()
    solver.solve(denoise, x, sde, time_grid(sde, STEPS, solver.spacing), randn)
    return steps


def accuracies() -> dict[str, np.ndarray]:
    """Return the true CIFAR-10 accuracy, in %, of uniform and of guided cells."""
    generator = Generator.from_pretrained("nasbench201")
    predictor = PropertyPredictor.from_pretrained("nasbench201-cifar10")
    table = measured_table("nasbench201", "cifar10")
    if table is None:
        raise SystemExit("the true accuracies are missing: pip install 'diffusionnag[bench]'")
    space = generator.search_space
    values = dict(zip(table.architectures, table.columns["cifar10"], strict=True))
    cells = {
        "random": space.sample(1000),
        "guided": generator.sample(1000, guide=predictor, distinct=True),
    }
    return {name: np.array([values[space.format(c)] for c in some]) for name, some in cells.items()}


def draw_cell(axes: Axes, weights: np.ndarray, theme: Theme) -> None:
    """Draw a cell's edges as ribbons, as wide for each operation as it is likely."""
    axes.set(xlim=(-0.25, 3.25), ylim=(-1.0, 1.0))
    axes.axis("off")
    t = np.linspace(0, 1, 60)
    for ((source, target), height), row in zip(EDGES.items(), weights, strict=True):
        x = source + (target - source) * t
        y = 4 * height * t * (1 - t) * (1.25 if target - source == 3 else 0.8)
        slope = np.gradient(y, x)
        normal = np.stack([-slope, np.ones_like(slope)]) / np.sqrt(1 + slope**2)
        shares = row.clip(0) / row.clip(0).sum()
        ends = np.concatenate([[0], np.cumsum(shares)]) * 0.2 - 0.1
        for low, high, colour in zip(ends[:-1], ends[1:], OPERATIONS.values(), strict=True):
            if high - low > 0.004:
                sides = [np.stack([x, y]) + normal * edge for edge in (low, high)]
                outline = np.concatenate([sides[0], sides[1][:, ::-1]], axis=1).T
                axes.add_patch(Polygon(outline, facecolor=colour, edgecolor="none"))
    axes.plot(range(4), [0] * 4, "o", ms=10, mfc=theme.ground, mec=theme.ink, mew=1.4, zorder=5)
    for node in range(4):
        axes.annotate(str(node), (node, -0.005), ha="center", va="center", size=7, zorder=6,
                      color=theme.ink)  # fmt: skip


def draw_matrix(
    axes: Axes, values: np.ndarray, colours: LinearSegmentedColormap, limit: float, ground: str
) -> None:
    """Draw a matrix of six edges by five operations as coloured squares."""
    axes.imshow(values, cmap=colours, vmin=-limit, vmax=limit, aspect="auto")
    axes.set(xticks=np.arange(-0.5, 5), yticks=np.arange(-0.5, 6), xticklabels=[], yticklabels=[])
    axes.grid(color=ground, linewidth=1.2)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw(theme: Theme, steps: list[Step], true: dict[str, np.ndarray], path: Path) -> None:
    """Write the picture in one theme."""
    figure = Figure(figsize=(9.6, 4.0), facecolor="none")
    page = figure.add_axes((0, 0, 1, 1))
    page.set(xlim=(0, 9.6), ylim=(0, 4.0))
    page.axis("off")
    entries = LinearSegmentedColormap.from_list("entries", [theme.soft, theme.faint, theme.ink])
    pulls = LinearSegmentedColormap.from_list("pulls", ["#D9A441", theme.faint, theme.pull])

    def place(left: float, bottom: float, width: float, height: float) -> Axes:
        return figure.add_axes((left / 9.6, bottom / 4.0, width / 9.6, height / 4.0))

    def say(x: float, y: float, text: str, colour: str = theme.ink, **font: object) -> None:
        font = {"size": 9.5, "ha": "center", "va": "center"} | font
        page.text(x, y, text, color=colour, **font)  # type: ignore[arg-type]

    def arrow(
        start: tuple[float, float], end: tuple[float, float], colour: str, bend: float = 0
    ) -> None:
        page.add_patch(
            FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, linewidth=1.6,
                            color=colour, connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0)
        )  # fmt: skip

    lefts = (0.1, 2.4, 4.7)
    titles = ("noise", "half decided", "a finished cell")
    for left, title, index in zip(lefts, titles, STAGES, strict=True):
        step = steps[index]
        draw_cell(place(left, 1.3, 1.75, 1.35), step.estimate, theme)
        finished = index == STEPS
        shown, limit = (step.estimate, 1.1) if finished else (step.noisy, max(1.2, 2 * step.sigma))
        draw_matrix(place(left + 0.5, 0.44, 0.75, 0.75), shown, entries, limit, theme.ground)
        for column, colour in enumerate(OPERATIONS.values()):
            start = left + 0.5 + 0.15 * column
            page.plot([start + 0.035, start + 0.115], [1.23, 1.23], color=colour, linewidth=3,
                      solid_capstyle="butt")  # fmt: skip
        say(left + 0.875, 2.86, title, weight="bold", size=10)
        say(left + 0.875, 2.68, f"σ = {0 if finished else step.sigma:.1f}", theme.soft, size=8.5)
    for left, index in zip(lefts[:2], PULLS, strict=True):
        middle = left + 2.03
        arrow((middle - 0.2, 1.98), (middle + 0.24, 1.98), theme.ink)
        draw_matrix(
            place(middle - 0.23, 2.43, 0.46, 0.46), steps[index].pull, pulls, 0.6, theme.ground
        )
        arrow((middle, 2.4), (middle, 2.06), theme.pull)
        arrow((middle, 3.26), (middle, 2.92), theme.pull)
    page.add_patch(
        FancyBboxPatch((1.75, 3.3), 3.06, 0.42, boxstyle="round,pad=0.04,rounding_size=0.12",
                       facecolor="none", edgecolor=theme.pull, linewidth=1.5)
    )  # fmt: skip
    say(3.28, 3.51, "any predictor: its gradient pulls", theme.pull, size=10, weight="bold")
    for left, text in zip((0.55, 1.5, 2.4, 3.6, 4.8), OPERATIONS, strict=True):
        page.plot([left + 0.25, left + 0.5], [0.15, 0.15], color=OPERATIONS[text], linewidth=6,
                  solid_capstyle="butt")  # fmt: skip
        say(left + 0.58, 0.145, text, theme.soft, size=8.5, ha="left")

    right = place(6.85, 0.75, 2.6, 2.1)
    grid = np.linspace(84, 94.6, 500)
    for name, colour, alpha in (("random", theme.soft, 0.35), ("guided", theme.accent, 0.55)):
        density = gaussian_kde(true[name], 0.25 / true[name].std())(grid)
        right.fill_between(grid, density, color=colour, alpha=alpha, linewidth=0)
        right.plot(grid, density, color=colour, linewidth=1.5)
    right.set(xlim=(84, 94.6), ylim=(0, None), yticks=[], xticks=[84, 86, 88, 90, 92, 94])
    right.spines[["left", "top", "right"]].set_visible(False)
    right.spines["bottom"].set_color(theme.soft)
    right.tick_params(colors=theme.soft, labelsize=8.5)
    right.set_xlabel("true CIFAR-10 accuracy, %", color=theme.soft, size=9)
    right.patch.set_alpha(0)
    right.text(91.9, right.get_ylim()[1] * 0.72, "1,000 guided\ncells", color=theme.accent, ha="right",
               size=9.5, weight="bold")  # fmt: skip
    right.text(88.2, right.get_ylim()[1] * 0.27, "1,000 random\ncells", color=theme.soft, ha="center",
               size=9.5, weight="bold")  # fmt: skip
    below = (true["random"] < 84).mean()
    right.text(84.1, right.get_ylim()[1] * 0.13, f"← {below:.0%} lie further left", color=theme.soft,
               size=8)  # fmt: skip
    say(8.15, 3.51, "what comes out", weight="bold", size=10)
    arrow((6.45, 1.98), (6.8, 1.98), theme.ink)
    figure.savefig(path, dpi=200, transparent=True, metadata={"Software": None})


def main() -> None:
    """Draw both variants beside this script."""
    steps, true = walk(), accuracies()
    for name, theme in THEMES.items():
        draw(theme, steps, true, Path(__file__).with_name(f"idea-{name}.png"))


if __name__ == "__main__":
    main()
