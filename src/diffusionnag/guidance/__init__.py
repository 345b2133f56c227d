"""Guidance: what is asked of architectures, as terms that add and scale."""

from diffusionnag.guidance.analytic import AnalyticProperty, analytic_names
from diffusionnag.guidance.properties import Bound, Property, limit, maximize, minimize, target
from diffusionnag.guidance.terms import Guidance

__all__ = [
    "AnalyticProperty",
    "Bound",
    "Guidance",
    "Property",
    "analytic_names",
    "limit",
    "maximize",
    "minimize",
    "target",
]
