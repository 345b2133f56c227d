"""Optuna's own samplers, which know nothing of architectures, held to the rules of the comparison."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import Trial, create_trial

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.search.proposers import draw_untaken
from diffusionnag.search.trials import Measured, architecture_of, distributions_of, parameters_of
from diffusionnag.spaces import Architecture, SearchSpace

ATTEMPTS = 10
"""How often a sampler is asked before a uniform draw takes the place of what it proposed."""


@dataclass(frozen=True)
class OptunaProposer:
    """Asks a new sampler, made from a seed, on a study of what was measured.

    What it proposes twice is answered by the known value, and what breaks the space's rule (or has
    no value) by the worst; then it is asked again. Neither is measured nor counted.
    """

    space: SearchSpace
    new_sampler: Callable[[int], BaseSampler]

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return what the sampler proposes that is not taken, in the end a uniform draw."""
        distributions = distributions_of(self.space)
        values = {trial.architecture: trial.value for trial in measured}
        worst = min(values.values())
        with _quiet():
            study = optuna.create_study(
                sampler=self.new_sampler(int(rng.integers(2**31))), direction="maximize"
            )
            study.add_trials(
                [
                    create_trial(
                        params=parameters_of(self.space, architecture),
                        distributions=dict(distributions),
                        value=value,
                    )
                    for architecture, value in values.items()
                ]
            )
            for _ in range(ATTEMPTS):
                trial = study.ask(dict(distributions))
                architecture = self._read(trial)
                if architecture is not None and architecture not in taken:
                    return architecture
                study.tell(
                    trial, worst if architecture is None else values.get(architecture, worst)
                )
        return draw_untaken(self.space, taken, rng)

    def _read(self, trial: Trial) -> Architecture | None:
        try:
            return architecture_of(self.space, trial.params)
        except DiffusionNAGError:
            return None


def tpe(space: SearchSpace) -> OptunaProposer:
    """Return a proposer by tree-structured Parzen estimators (Bergstra et al. 2011)."""
    return OptunaProposer(space, lambda seed: TPESampler(seed=seed, n_startup_trials=0))


def optuna_gp(space: SearchSpace) -> OptunaProposer:
    """Return a proposer by Optuna's Gaussian process, with expected improvement."""
    return OptunaProposer(
        space,
        lambda seed: GPSampler(seed=seed, n_startup_trials=0, deterministic_objective=True),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the study of a moment out of the log."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.ERROR))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
