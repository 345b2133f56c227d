"""Weights that all networks of a space share: trained once, they evaluate thousands of networks."""

from diffusionnag.supernets.evaluation import evaluate_inherited, recalibrate
from diffusionnag.supernets.supernet import Supernet
from diffusionnag.supernets.supernet_training import supernet_settings, train_supernet
from diffusionnag.supernets.trained_supernet import TrainedSupernet, is_supernet

__all__ = [
    "Supernet",
    "TrainedSupernet",
    "evaluate_inherited",
    "is_supernet",
    "recalibrate",
    "supernet_settings",
    "train_supernet",
]
