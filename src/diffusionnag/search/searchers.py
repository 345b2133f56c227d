"""The searchers by name: the library's own, and those it is compared with."""

from __future__ import annotations

from collections.abc import Callable

from diffusionnag.search.baselines.bananas import bananas
from diffusionnag.search.baselines.gp_ucb import gp_ucb
from diffusionnag.search.baselines.local_search import LocalSearch
from diffusionnag.search.baselines.nas_bowl import nas_bowl
from diffusionnag.search.baselines.optuna_samplers import optuna_gp, tpe
from diffusionnag.search.baselines.random_search import RandomSearch
from diffusionnag.search.baselines.regularised_evolution import RegularisedEvolution
from diffusionnag.search.baselines.reinforce import Reinforce
from diffusionnag.search.proposal import Proposes
from diffusionnag.search.sampler import ArchitectureSampler, DiffusionNAGSampler
from diffusionnag.spaces import SearchSpace

OWN = "diffusionnag"
"""The searcher that has options: strategy, acquisition and more."""


def _baseline(
    proposer: Callable[[SearchSpace], Proposes], warm_up: int = 10
) -> Callable[..., ArchitectureSampler]:
    def sampler(space: SearchSpace, *, seed: int = 0) -> ArchitectureSampler:
        return ArchitectureSampler(space, proposer(space), warm_up=warm_up, seed=seed)

    return sampler


SEARCHERS: dict[str, Callable[..., ArchitectureSampler]] = {
    OWN: DiffusionNAGSampler,
    "random": _baseline(RandomSearch, warm_up=1),
    "rea": _baseline(RegularisedEvolution),
    "reinforce": _baseline(Reinforce, warm_up=1),
    "local-search": _baseline(LocalSearch),
    "bananas": _baseline(bananas),
    "gp-ucb": _baseline(gp_ucb),
    "nas-bowl": _baseline(nas_bowl),
    "tpe": _baseline(tpe),
    "optuna-gp": _baseline(optuna_gp),
}
"""Each takes a search space and a seed."""
