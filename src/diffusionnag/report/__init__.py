"""Pictures and text: one architecture, the properties of many, or what was generated."""

from diffusionnag.report._figure import check_picture
from diffusionnag.report.architecture_picture import draw_picture
from diffusionnag.report.architecture_text import draw_text
from diffusionnag.report.best_so_far_plot import plot_best_so_far
from diffusionnag.report.curves_plot import plot_curves
from diffusionnag.report.distribution_plot import plot_distributions
from diffusionnag.report.generation_plot import plot_front, plot_generated
from diffusionnag.report.pareto_plot import plot_pareto
from diffusionnag.report.scatter_plot import plot_scatter

__all__ = [
    "check_picture",
    "draw_picture",
    "draw_text",
    "plot_best_so_far",
    "plot_curves",
    "plot_distributions",
    "plot_front",
    "plot_generated",
    "plot_pareto",
    "plot_scatter",
]
