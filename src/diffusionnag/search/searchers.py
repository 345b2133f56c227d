"""The searchers by name: the library's own, and those it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.search._choices import check_choice
from diffusionnag.search.architecture_sampler import ArchitectureSampler
from diffusionnag.search.baselines._bananas import bananas
from diffusionnag.search.baselines._gp_ucb import gp_ucb
from diffusionnag.search.baselines._local_search import STARTS, LocalSearch
from diffusionnag.search.baselines._nas_bowl import nas_bowl
from diffusionnag.search.baselines._optuna_samplers import optuna_gp, tpe
from diffusionnag.search.baselines._random_search import RandomSearch
from diffusionnag.search.baselines._regularised_evolution import POPULATION, RegularisedEvolution
from diffusionnag.search.baselines._reinforce import Reinforce
from diffusionnag.search.proposers import Proposes
from diffusionnag.search.sampler import DiffusionNAGSampler
from diffusionnag.spaces import SearchSpace

WARM_UP = 10
"""Uniform draws before a baseline that fits a model does so, as published for BANANAS."""


def _baseline(
    proposer: Callable[[SearchSpace], Proposes], warm_up: int = WARM_UP
) -> Callable[..., ArchitectureSampler]:
    def sampler(
        space: SearchSpace, *, fixed: Mapping[str, str] | None = None, seed: int = 0
    ) -> ArchitectureSampler:
        return ArchitectureSampler(space, proposer(space), warm_up=warm_up, fixed=fixed, seed=seed)

    return sampler


SEARCHERS: dict[str, Callable[..., ArchitectureSampler]] = {
    "diffusionnag": DiffusionNAGSampler,
    "random": _baseline(RandomSearch, warm_up=1),
    "rea": _baseline(RegularisedEvolution, warm_up=POPULATION),
    "reinforce": _baseline(Reinforce, warm_up=1),
    "local-search": _baseline(LocalSearch, warm_up=STARTS),
    "bananas": _baseline(bananas),
    "gp-ucb": _baseline(gp_ucb),
    "nas-bowl": _baseline(nas_bowl),
    "tpe": _baseline(tpe),
    "optuna-gp": _baseline(optuna_gp),
}
"""Each takes a search space, what is fixed in it and a seed; only the library's own has other options."""


def new_searcher(
    name: str,
    space: SearchSpace,
    *,
    fixed: Mapping[str, str] | None = None,
    seed: int = 0,
    **options: object,
) -> ArchitectureSampler:
    """Return the sampler of that name; an option that is None counts as not given.

    `fixed` are operations at nodes, by name, that every proposal has.

    Raises DiffusionNAGError for an unknown name, an option given to a searcher that has none, and
    as `DiffusionNAGSampler` does.
    """
    check_choice("searcher", name, SEARCHERS)
    given = {option: value for option, value in options.items() if value is not None}
    if given and SEARCHERS[name] is not DiffusionNAGSampler:
        listed = ", ".join(option.replace("_", "-") for option in given)
        raise DiffusionNAGError(f"the searcher {name} has no option {listed}; leave it out")
    return SEARCHERS[name](space, fixed=fixed, seed=seed, **given)
