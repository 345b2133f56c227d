"""The Optuna sampler: proposals from a study's trials, safe for several processes at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from diffusionnag._devices import torch_threads
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.generator import Generator
from diffusionnag.guidance import Bound, Property, maximize
from diffusionnag.guidance.feasibility import limits_of
from diffusionnag.predictors import FEWEST_ARCHITECTURES
from diffusionnag.search.proposers import CANDIDATES, Corrected, Proposer, Proposes, draw_untaken
from diffusionnag.search.storages import announce
from diffusionnag.search.trials import (
    ARCHITECTURE,
    Measured,
    distributions_of,
    given_parameters,
    parameters_of,
    recorded_architecture,
    sign_of,
    without_interrupted,
    worst_case,
)
from diffusionnag.spaces import Architecture, SearchSpace

WARM_UP = 5
CLAIMS = 100
"""Attempts to be the only process that proposes an architecture."""


class ArchitectureSampler(BaseSampler):
    """Searches over the architectures of a space as whole ones, with any proposer.

    Until `warm_up` trials have a value, architectures are uniform draws; from then on the proposer
    proposes. None is ever proposed twice in a study; a trial that failed or was pruned teaches
    nothing. Trials that run elsewhere count as if they had the worst values (the constant liar).
    What is proposed follows from the seed, the trial's number and the trials before it. Raises
    DiffusionNAGError for a warm-up below 1.
    """

    def __init__(
        self,
        search_space: SearchSpace,
        proposer: Proposes,
        *,
        warm_up: int,
        seed: int = 0,
    ) -> None:
        if warm_up < 1:
            raise DiffusionNAGError(f"a warm-up of {warm_up} is too short; take at least 1")
        self.search_space = search_space
        self.warm_up = warm_up
        self.seed = check_seed(seed)
        self._proposer = proposer
        self._distributions = distributions_of(search_space)
        self._parsed: dict[str, Architecture | None] = {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Note which process runs a trial, so that others can tell when it dies."""
        announce(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return every parameter of the space: an architecture is proposed as a whole.

        Raises DiffusionNAGError as `check_study` does.
        """
        self.check_study(study)
        if given_parameters(trial) >= set(self._distributions):
            # Queued by the user, or again after its process was killed: there is nothing to propose.
            return {}
        return dict(self._distributions)

    def check_study(self, study: Study) -> None:
        """Raise DiffusionNAGError for a study of several objectives."""
        if len(study.directions) > 1:
            raise DiffusionNAGError("this sampler searches for one objective; the study has more")

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters of the architecture proposed for a trial.

        Raises SpaceExhaustedError when none is left.
        """
        if not search_space:
            return {}
        rng = np.random.default_rng([self.seed, trial.number])
        for _ in range(CLAIMS):
            # A proposal is little work, and threads that wait for each other are slow on a busy machine.
            with torch_threads(1):
                architecture = self._propose(study, trial, rng)
            if self._claim(study, trial, architecture):
                return parameters_of(self.search_space, architecture)
        raise DiffusionNAGError("other processes keep proposing the same architectures; run fewer")

    def _propose(self, study: Study, trial: FrozenTrial, rng: np.random.Generator) -> Architecture:
        others = self._others(study, trial)
        measured = [
            Measured.of(one, other, study.directions)
            for other, one in others
            if other.state == TrialState.COMPLETE
        ]
        taken = {one for _, one in others}
        if len(measured) < self.warm_up:
            return self._draw(study, taken, rng)
        running = [one for other, one in others if not other.state.is_finished()]
        lies = [worst_case(one, measured) for one in running]
        return self._proposer_of(study).propose(measured + lies, taken, rng)

    def _proposer_of(self, study: Study) -> Proposes:
        return self._proposer

    def _draw(
        self, study: Study, taken: Collection[Architecture], rng: np.random.Generator
    ) -> Architecture:
        return draw_untaken(self.search_space, taken, rng)

    def _others(self, study: Study, trial: FrozenTrial) -> list[tuple[FrozenTrial, Architecture]]:
        """Return the other trials that have an architecture, with it."""
        # Under a Hyperband pruner the study shows one bracket of the trials only; the storage has all.
        stored = study._storage.get_all_trials(study._study_id, deepcopy=False)
        trials = without_interrupted(stored)
        pairs = ((other, self._recorded(other)) for other in trials if other.number != trial.number)
        return [(other, one) for other, one in pairs if one is not None]

    def _recorded(self, trial: FrozenTrial) -> Architecture | None:
        """Return a trial's architecture; each trial asks for those of all others, so it is kept."""
        text = trial.user_attrs.get(ARCHITECTURE)
        if not isinstance(text, str):
            return recorded_architecture(self.search_space, trial)
        if text not in self._parsed:
            self._parsed[text] = recorded_architecture(self.search_space, trial)
        return self._parsed[text]

    def _claim(self, study: Study, trial: FrozenTrial, architecture: Architecture) -> bool:
        """Note a trial's architecture, and tell whether no other trial has the same one.

        Of two processes that note the same at once, at least one sees the other's note, and gives
        way; so no two of them ever go on with it.
        """
        text = self.search_space.format(architecture)
        # Optuna's own samplers write through the storage as well: a frozen trial has no other way.
        study._storage.set_trial_user_attr(trial._trial_id, ARCHITECTURE, text)
        return all(one != architecture for _, one in self._others(study, trial))

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Refuse: a parameter that is no node of the space is none of an architecture."""
        raise DiffusionNAGError(
            f"{param_name!r} with these choices is no parameter of {self.search_space.name}"
        )


class DiffusionNAGSampler(ArchitectureSampler):
    """Bayesian optimisation over the architectures of a space, candidates being generated.

    The warm-up spreads its draws over the operations of each node. Given a property to
    `start_from`, such as a predictor of the accuracy on another data set, it measures architectures
    generated under its guidance instead, the best predicted first; the property stands for the
    first objective, in the direction of that. Then a Gaussian process is fitted on what was
    measured, or, of one objective, on how that differs from the property; candidates are generated
    under its guidance, and the acquisition function chooses among them. Of several objectives, that
    is the expected gain in hypervolume; constraints of the trials (Optuna's `set_constraint`) are
    learnt as well, and every proposal keeps the `limits`.
    Raises DiffusionNAGError for a warm-up below 5, a property of another space, and as `Proposer`
    does.
    """

    def __init__(
        self,
        search_space: SearchSpace,
        *,
        generator: Generator | None = None,
        strategy: str = "guided",
        acquisition: str = "EI",
        warm_up: int = WARM_UP,
        candidates: int = CANDIDATES,
        limits: Sequence[Bound] = (),
        start_from: Property | None = None,
        seed: int = 0,
    ) -> None:
        if warm_up < FEWEST_ARCHITECTURES:
            raise DiffusionNAGError(
                f"a warm-up of {warm_up} is too short to learn from; take at least "
                f"{FEWEST_ARCHITECTURES}"
            )
        if start_from is not None:
            # Fails for a property of another space, before anything is measured.
            limits_of(maximize(start_from), search_space)
        if generator is None and (strategy == "guided" or start_from is not None):
            generator = Generator.from_pretrained(search_space.name, search_space=search_space)
        self._own = Proposer(
            search_space, generator, strategy, acquisition, candidates, limits=tuple(limits)
        )
        self._start_from = start_from
        self._generated: dict[int, list[Architecture]] = {}
        super().__init__(search_space, self._own, warm_up=warm_up, seed=seed)

    def check_study(self, study: Study) -> None:
        """Raise DiffusionNAGError for several objectives, unless the acquisition function is EI."""
        if len(study.directions) > 1 and self._own.acquisition != "EI":
            raise DiffusionNAGError(
                f"the acquisition function {self._own.acquisition} is for one objective; for "
                "several leave it at EI, the expected gain in hypervolume"
            )

    def _draw(
        self, study: Study, taken: Collection[Architecture], rng: np.random.Generator
    ) -> Architecture:
        promising = self._promising(sign_of(study.directions[0]))
        untaken = (one for one in promising if one not in taken)
        return next(untaken, None) or self._own.draw_apart(taken, rng)

    def _promising(self, sign: int) -> list[Architecture]:
        """Return what the property to start from holds best, generated once for each direction."""
        if self._start_from is None:
            return []
        if sign not in self._generated:
            guide = maximize(self._start_from, sign)
            self._generated[sign] = self._own.generate_promising(guide, self.seed)
        return self._generated[sign]

    def _proposer_of(self, study: Study) -> Proposes:
        prior = self._start_from
        if prior is None or len(study.directions) > 1:
            return self._own
        sign = sign_of(study.directions[0])
        return dataclasses.replace(self._own, surrogate=lambda space: Corrected(prior, sign))
