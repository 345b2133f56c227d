"""Pictures: architectures, and the properties of many of them."""

from diffusionnag.report.best_so_far import plot_best_so_far
from diffusionnag.report.curves import plot_curves
from diffusionnag.report.distribution import plot_distributions
from diffusionnag.report.drawing import draw_picture
from diffusionnag.report.pareto import plot_pareto
from diffusionnag.report.scatter import plot_scatter
from diffusionnag.report.text import draw_text

__all__ = [
    "draw_picture",
    "draw_text",
    "plot_best_so_far",
    "plot_curves",
    "plot_distributions",
    "plot_pareto",
    "plot_scatter",
]
