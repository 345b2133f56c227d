"""Weights that all networks of a space share: trained once, they evaluate thousands of networks."""

from diffusionnag.supernets.cell_search import ALGORITHMS, CellSearch, check_algorithm, search_cell
from diffusionnag.supernets.inheritance import inherited, tuned_for
from diffusionnag.supernets.inherited_metrics import evaluate_inherited, recalibrate
from diffusionnag.supernets.ofa_weights import import_ofa_weights
from diffusionnag.supernets.supernet import Supernet
from diffusionnag.supernets.supernet_training import (
    check_shrinks,
    supernet_settings,
    train_supernet,
)
from diffusionnag.supernets.trained_supernet import TrainedSupernet

__all__ = [
    "ALGORITHMS",
    "CellSearch",
    "Supernet",
    "TrainedSupernet",
    "check_algorithm",
    "check_shrinks",
    "evaluate_inherited",
    "import_ofa_weights",
    "inherited",
    "recalibrate",
    "search_cell",
    "supernet_settings",
    "train_supernet",
    "tuned_for",
]
