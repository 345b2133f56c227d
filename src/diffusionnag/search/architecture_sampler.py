"""Optuna samplers of whole architectures: any proposer, safe for several processes at once."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, PartialFixedSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from diffusionnag._devices import torch_defaults, torch_threads
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks import can_be_built
from diffusionnag.search.proposers import (
    Outlook,
    Proposes,
    draw_untaken,
)
from diffusionnag.search.storages import announce
from diffusionnag.search.trials import (
    ARCHITECTURE,
    UNBUILDABLE,
    Measured,
    bounded,
    distributions_of,
    given_parameters,
    parameters_of,
    recorded_architecture,
    without_interrupted,
    worst_case,
)
from diffusionnag.spaces import Architecture, SearchSpace, fix_nodes

CLAIMS = 100
"""Attempts to be the only process that proposes an architecture."""
PASSED_OVER = 100
"""Proposals without a network after which a search is given up."""


class ArchitectureSampler(BaseSampler):
    """Searches over the architectures of a space as whole ones, with any proposer.

    Until `warm_up` trials have a value, architectures are uniform draws; from then on the proposer
    proposes. None is ever proposed twice in a study; a trial that failed teaches nothing, and a pruned
    one only what a subclass makes of its reports. Trials that run elsewhere are given to the proposer
    marked as `running`, with the worst values of all (the constant liar). What is proposed follows from
    the seed, the trial's number and the trials before it. Operations that are `fixed` at nodes, by name,
    queued with a trial, or fixed by Optuna's PartialFixedSampler stay as they are, and the rest is
    proposed given them. Other parameters of a trial are proposed by Optuna's TPE, each on its own. A
    sampler that `repeats` may propose again what was measured, once the warm-up is over. Raises
    DiffusionNAGError for a warm-up below 1, and for an unknown node or operation.
    """

    repeats = False

    def __init__(
        self,
        search_space: SearchSpace,
        proposer: Proposes,
        *,
        warm_up: int,
        fixed: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        if warm_up < 1:
            raise DiffusionNAGError(f"a warm-up of {warm_up} is too short; take at least 1")
        self.search_space = search_space
        self.warm_up = warm_up
        self.seed = check_seed(seed)
        self.fixed = dict(fixed or {})
        fix_nodes(search_space, self.fixed)
        self._proposer = proposer
        self._warned = False
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

    @torch_defaults()
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the parameters of the architecture proposed for a trial.

        Raises SpaceExhaustedError when none is left.
        """
        if given_parameters(trial) >= set(self._distributions):
            return {}
        fixed = self._fixed(study, trial)
        rng = np.random.default_rng([self.seed, trial.number])
        for _ in range(CLAIMS):
            architecture = self._propose_buildable(study, trial, fixed, rng)
            if self._claim(study, trial, architecture):
                parameters = parameters_of(self.search_space, architecture)
                # Those that an outer sampler has fixed it gives by itself.
                return {name: parameters[name] for name in search_space}
        raise DiffusionNAGError("other processes keep proposing the same architectures; run fewer")

    def _fixed(self, study: Study, trial: FrozenTrial) -> dict[str, str]:
        """Return the operations that are decided: for all trials, by an outer sampler, or queued."""
        fixed = dict(self.fixed)
        outer = study.sampler
        while isinstance(outer, PartialFixedSampler):
            fixed |= outer._fixed_params
            outer = outer._base_sampler
        fixed |= trial.system_attrs.get("fixed_params", {})
        return {node: fixed[node] for node in self._distributions if node in fixed}

    def _propose_buildable(
        self, study: Study, trial: FrozenTrial, fixed: Mapping[str, str], rng: np.random.Generator
    ) -> Architecture:
        """Return a proposal whose network can be built, what else was proposed being passed over.

        Raises DiffusionNAGError where many proposals in a row fail.
        """
        unbuildable: set[Architecture] = set()
        while len(unbuildable) < PASSED_OVER:
            # A proposal is little work, and threads that wait for each other are slow on a busy machine.
            with torch_threads(1):
                architecture = self._propose(study, trial, fixed, rng, unbuildable)
            if can_be_built(self.search_space, [architecture]).all():
                return architecture
            unbuildable.add(architecture)
            study._storage.set_trial_user_attr(trial._trial_id, UNBUILDABLE, len(unbuildable))
        raise DiffusionNAGError(
            f"of {PASSED_OVER} proposals for trial {trial.number} no network can be built; "
            "`diffusionnag check` tells what fails"
        )

    def _propose(
        self,
        study: Study,
        trial: FrozenTrial,
        fixed: Mapping[str, str],
        rng: np.random.Generator,
        unbuildable: Collection[Architecture],
    ) -> Architecture:
        others = self._others(study, trial)
        measured = self._measured(study, others)
        everything = {architecture for _, architecture in others} | set(unbuildable)
        space = fix_nodes(self.search_space, fixed) if fixed else self.search_space
        if len(measured) < self.warm_up:
            return self._draw(study, space, everything, rng)
        running = [architecture for other, architecture in others if not other.state.is_finished()]
        again = self._repeatable(others)
        taken = everything - (again - set(running))
        lies = [worst_case(each, measured) for each in running if each not in again]
        proposer = self._proposer_of(study, others)
        if not fixed:
            return proposer.propose(measured + lies, taken, rng)
        if dataclasses.is_dataclass(proposer) and hasattr(proposer, "space"):
            proposer = dataclasses.replace(proposer, space=space)  # type: ignore[arg-type]
        proposed = proposer.propose(measured + lies, taken, rng)
        if space.is_valid(proposed) and proposed not in taken:
            return proposed
        # A proposer that knows the whole space only.
        return draw_untaken(space, taken, rng)

    def _repeatable(self, trials: Sequence[tuple[FrozenTrial, Architecture]]) -> set[Architecture]:
        """Return what was measured and may be proposed again."""
        if not self.repeats:
            return set()
        return {known for trial, known in trials if trial.state == TrialState.COMPLETE}

    def outlook(self, study: Study) -> Outlook | None:
        """Return what the proposer's surrogate says of a study, None where it says nothing."""
        return None

    def _measured(
        self, study: Study, trials: Sequence[tuple[FrozenTrial, Architecture]]
    ) -> list[Measured]:
        """Return what the complete ones of some trials measured, in finite numbers."""
        measured = [
            Measured.of(architecture, trial, study.directions)
            for trial, architecture in trials
            if trial.state == TrialState.COMPLETE
        ]
        finite = bounded(measured)
        if finite != measured and not self._warned:
            self._warned = True
            warnings.warn(
                "some values are infinite or NaN; they count as worse, or better, than all others",
                stacklevel=2,
            )
        return finite

    def _proposer_of(
        self, study: Study, trials: Sequence[tuple[FrozenTrial, Architecture]]
    ) -> Proposes:
        return self._proposer

    def _draw(
        self,
        study: Study,
        space: SearchSpace,
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        return draw_untaken(space, taken, rng)

    def _others(self, study: Study, trial: FrozenTrial) -> list[tuple[FrozenTrial, Architecture]]:
        """Return the other trials that have an architecture, with it."""
        return [pair for pair in self._proposed(study) if pair[0].number != trial.number]

    def _proposed(self, study: Study) -> list[tuple[FrozenTrial, Architecture]]:
        """Return the trials that have an architecture, with it."""
        # Under a Hyperband pruner the study shows one bracket of the trials only; the storage has all.
        stored = study._storage.get_all_trials(study._study_id, deepcopy=False)
        pairs = ((trial, self._recorded(trial)) for trial in without_interrupted(stored))
        return [(trial, architecture) for trial, architecture in pairs if architecture is not None]

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
        way; so no two of them ever measure it.
        """
        text = self.search_space.format(architecture)
        self._parsed[text] = architecture
        # Optuna's own samplers write through the storage as well: a frozen trial has no other way.
        study._storage.set_trial_user_attr(trial._trial_id, ARCHITECTURE, text)
        others = self._others(study, trial)
        if architecture in self._repeatable(others):
            others = [pair for pair in others if not pair[0].state.is_finished()]
        return all(taken != architecture for _, taken in others)

    @torch_defaults()
    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value of a parameter besides the architecture, by Optuna's TPE on its own.

        Raises DiffusionNAGError for a parameter that is called like a node of the space.
        """
        if param_name in self._distributions:
            raise DiffusionNAGError(
                f"{param_name!r} with these choices is no parameter of {self.search_space.name}"
            )
        seed = np.random.default_rng([self.seed, trial.number, *param_name.encode()])
        sampler = TPESampler(seed=int(seed.integers(2**31)))
        return sampler.sample_independent(study, trial, param_name, param_distribution)
