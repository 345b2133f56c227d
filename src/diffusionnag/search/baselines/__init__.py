"""Searchers from the literature, to be compared with the library's own: one file each.

Each is what an `ArchitectureSampler` asks for its proposals, so that all of them measure nothing
twice, resume a study, and share it with other processes.
"""

from diffusionnag.search.baselines._bananas import PathEncoding, bananas
from diffusionnag.search.baselines._gp_ucb import gp_ucb
from diffusionnag.search.baselines._local_search import LocalSearch
from diffusionnag.search.baselines._nas_bowl import nas_bowl
from diffusionnag.search.baselines._optuna_samplers import optuna_gp, tpe
from diffusionnag.search.baselines._random_search import RandomSearch
from diffusionnag.search.baselines._regularised_evolution import RegularisedEvolution
from diffusionnag.search.baselines._reinforce import Reinforce

__all__ = [
    "LocalSearch",
    "PathEncoding",
    "RandomSearch",
    "RegularisedEvolution",
    "Reinforce",
    "bananas",
    "gp_ucb",
    "nas_bowl",
    "optuna_gp",
    "tpe",
]
