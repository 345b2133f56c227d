"""Graphs of the user's own, whose nodes have features and classes, and one that is drawn."""

from diffusionnag.graphs.block_model import BLOCK_MODEL, draw_block_model
from diffusionnag.graphs.labelled_nodes import LabelledNodes, read_graph

__all__ = ["BLOCK_MODEL", "LabelledNodes", "draw_block_model", "read_graph"]
