"""The library's own sampler: candidates generated under the guidance of what was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from functools import partial

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from diffusionnag._devices import torch_defaults, torch_threads
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.generator import Generator
from diffusionnag.guidance import Bound, Property, maximize
from diffusionnag.guidance.feasibility import limits_of, within_limits
from diffusionnag.guidance.terms import Sum
from diffusionnag.predictors import FEWEST_ARCHITECTURES
from diffusionnag.search._early_values import early_predictor
from diffusionnag.search.architecture_sampler import ArchitectureSampler
from diffusionnag.search.proposers import (
    CANDIDATES,
    STRATEGIES,
    Outlook,
    Proposer,
    Unseen,
    draw_apart,
    informed_process,
)
from diffusionnag.search.trials import sign_of
from diffusionnag.spaces import Architecture, FixedNodes, SearchSpace, fix_nodes

WARM_UP = 5


class DiffusionNAGSampler(ArchitectureSampler):
    """Bayesian optimisation over the architectures of a space, candidates being generated.

    The warm-up spreads its draws over the operations of each node. Given properties to
    `start_from`, such as a predictor of the accuracy on another data set, the first, the third and
    so on are generated under their guidance instead, the best predicted first; a property stands
    for the first objective, in the direction of that. Then a Gaussian process is fitted on what was
    measured, which, of one objective, sees the properties besides, and what pruned trials reported
    before they ended; candidates are generated under its guidance, mutated from the best measured, or
    both, as the `strategy` says, and the acquisition function chooses among them. Of several
    objectives, that is the expected gain in hypervolume; constraints of the trials (Optuna's
    `set_constraint`) are learnt as well, and every proposal keeps the `limits`. Given a chance
    `until_improbable`, a search for one objective ends, by ImprobableError, when it is
    less likely than that that something better is left. Where measuring is `noisy`, promising
    architectures are measured again. Raises DiffusionNAGError for a warm-up below 5, a property of
    another space, and as `Proposer` does.
    """

    def __init__(
        self,
        search_space: SearchSpace,
        *,
        generator: Generator | None = None,
        strategy: str = STRATEGIES[0],
        acquisition: str = "EI",
        warm_up: int = WARM_UP,
        candidates: int = CANDIDATES,
        limits: Sequence[Bound] = (),
        start_from: Property | Sequence[Property] | None = None,
        until_improbable: float | None = None,
        noisy: bool = False,
        fixed: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        if warm_up < FEWEST_ARCHITECTURES:
            raise DiffusionNAGError(
                f"a warm-up of {warm_up} is too short to learn from; take at least "
                f"{FEWEST_ARCHITECTURES}"
            )
        priors = (start_from,) if isinstance(start_from, Property) else tuple(start_from or ())
        # Fails for a property of another space, before anything is measured.
        limits_of(Sum(tuple(map(maximize, priors))), search_space)
        if generator is None and ("guided" in strategy or priors):
            generator = Generator.from_pretrained(search_space.name, search_space=search_space)
        self._own = Proposer(
            search_space,
            generator,
            strategy,
            acquisition,
            candidates,
            limits=tuple(limits),
            until_improbable=until_improbable,
            noisy=noisy,
        )
        self.repeats = noisy
        self._start_from = priors
        self._generated: dict[int, list[Architecture]] = {}
        self._unseen: Unseen = {}
        super().__init__(search_space, self._own, warm_up=warm_up, fixed=fixed, seed=seed)

    def check_study(self, study: Study) -> None:
        """Raise DiffusionNAGError for what is for one objective only, where there are several."""
        if len(study.directions) > 1 and self._own.acquisition != "EI":
            raise DiffusionNAGError(
                f"the acquisition function {self._own.acquisition} is for one objective; for "
                "several leave it at EI, the expected gain in hypervolume"
            )
        given = {"until_improbable": self._own.until_improbable, "noisy": self._own.noisy or None}
        single = [name for name, value in given.items() if value is not None]
        if len(study.directions) > 1 and single:
            raise DiffusionNAGError(
                f"{' and '.join(single)} {'are' if len(single) > 1 else 'is'} for one objective; leave "
                f"{'them' if len(single) > 1 else 'it'} out"
            )

    @torch_defaults()
    def outlook(self, study: Study) -> Outlook | None:
        """Return what the surrogate says of a study of one objective, in the objective's unit."""
        if len(study.directions) > 1:
            return None
        proposed = self._proposed(study)
        measured = self._measured(study, proposed)
        proposer = self._proposer_of(study, proposed)
        if self.fixed:
            space = fix_nodes(self.search_space, self.fixed)
            proposer = dataclasses.replace(proposer, space=space)
        rng = np.random.default_rng([self.seed, len(proposed)])
        with torch_threads(1):
            outlook = proposer.outlook(measured, {known for _, known in proposed}, rng)
        sign = sign_of(study.directions[0])
        return outlook and dataclasses.replace(outlook, means=sign * outlook.means)

    def _draw(
        self,
        study: Study,
        space: SearchSpace,
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        # Only by comparison with others do the promising ones tell whether the property misleads.
        promising = [] if len(taken) % 2 else self._promising(sign_of(study.directions[0]))
        if isinstance(space, FixedNodes):
            promising = within_limits(self._own.limits, space.with_fixed(promising))
        for architecture in promising:
            if architecture not in taken and space.is_valid(architecture):
                return architecture
        return draw_apart(space, taken, rng, self._own.limits, self._own.generator, self._unseen)

    def _promising(self, sign: int) -> list[Architecture]:
        """Return what the properties to start from hold best, generated once for each direction."""
        if not self._start_from:
            return []
        if sign not in self._generated:
            weight = sign / len(self._start_from)
            guide = Sum(tuple(maximize(prior, weight) for prior in self._start_from))
            self._generated[sign] = self._own.generate_promising(guide, self.seed)
        return self._generated[sign]

    def _proposer_of(
        self, study: Study, trials: Sequence[tuple[FrozenTrial, Architecture]]
    ) -> Proposer:
        if len(study.directions) > 1:
            return self._own
        sign = sign_of(study.directions[0])
        early = early_predictor(self.search_space, trials, sign, self.seed)
        priors = self._start_from if early is None else (*self._start_from, early)
        if not priors:
            return self._own
        surrogate = partial(informed_process, priors=priors)
        return dataclasses.replace(self._own, surrogate=surrogate)
