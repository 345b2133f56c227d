"""Pictures: architectures, and the distributions of their properties."""

from diffusionnag.report.distribution import plot_distributions
from diffusionnag.report.drawing import draw_picture
from diffusionnag.report.text import draw_text

__all__ = ["draw_picture", "draw_text", "plot_distributions"]
