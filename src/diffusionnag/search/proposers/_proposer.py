"""What to measure next: candidates of one of four strategies, chosen by an acquisition function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError, ImprobableError
from diffusionnag.generation.dominance import simplex
from diffusionnag.generation.generator import BATCH, Generator
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Bound, Guidance
from diffusionnag.guidance.feasibility import check_limits, within_limits
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.guidance.terms import RowWeights, Sum
from diffusionnag.predictors import Learner, Surrogate
from diffusionnag.search._choices import check_choice
from diffusionnag.search.proposers._acquisition import ACQUISITIONS
from diffusionnag.search.proposers._draws import draw_untaken, generate_promising
from diffusionnag.search.proposers._learned import Learned, gaussian_process, learn
from diffusionnag.search.proposers._outlook import Outlook, outlook_of
from diffusionnag.search.trials import Measured
from diffusionnag.spaces import Architecture, SearchSpace

STRATEGIES = ("guided+mutation", "guided", "mutation", "mutation+random", "random")
"""Ways to find candidates: the usual one, the paper's, and those it is compared with (section 3.2).

Guidance finds good regions sooner than mutation, which goes further up in them.
"""
CANDIDATES = 128
"""Architectures that a strategy finds for each proposal, of which one is chosen."""
STEPS = 8
"""Half of the usual steps generate candidates as good, of which the invalid ones are left out."""
WEIGHTS = (0.25, 8.0)
"""Each candidate is guided by a weight of its own: weak guidance explores, strong guidance refines."""
PARENTS = 10
"""Mutation changes one of so many best architectures."""


class Proposes(Protocol):
    """What decides which architecture is measured next."""

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return an architecture that is not `taken`; `measured` comes in the order of the trials.

        All that is remembered of earlier proposals is what was measured. Raises
        SpaceExhaustedError when the whole space is taken.
        """
        ...


@dataclass(frozen=True)
class Proposer:
    """How architectures are proposed: a strategy that finds candidates, and what chooses among them.

    Every proposal keeps the `limits`. Only strategies with `guided` need the generator. It ends a
    search of one objective where the chance that a candidate is better than what was measured is
    below `until_improbable`. Where measuring is `noisy`, what was measured is a candidate as well,
    unless it is `taken`. Raises DiffusionNAGError for an unknown strategy or acquisition
    function, for fewer than 1 candidate, a generator that is missing or of another space, limits
    that nothing keeps, or a chance that is not between 0 and 1.
    """

    space: SearchSpace
    generator: Generator | None = None
    strategy: str = STRATEGIES[0]
    acquisition: str = "EI"
    candidates: int = CANDIDATES
    surrogate: Callable[[SearchSpace], Learner] = gaussian_process
    limits: tuple[Bound, ...] = ()
    until_improbable: float | None = None
    noisy: bool = False

    def __post_init__(self) -> None:
        check_choice("strategy", self.strategy, STRATEGIES)
        check_choice("acquisition function", self.acquisition, ACQUISITIONS)
        if self.candidates < 1:
            raise DiffusionNAGError(f"{self.candidates} candidates are too few; take at least 1")
        if "guided" in self.strategy and self.generator is None:
            raise DiffusionNAGError(
                f"the strategy {self.strategy} needs a generator of the search space"
            )
        if self.generator is not None and self.generator.search_space.name != self.space.name:
            raise DiffusionNAGError(
                f"the generator is of {self.generator.search_space.name}, not of {self.space.name}"
            )
        check_limits(self.limits, self.space)
        if self.noisy and self.acquisition != "EI":
            raise DiffusionNAGError(
                f"where measuring is noisy the acquisition function is EI, not {self.acquisition}"
            )
        if self.until_improbable is not None and not 0 < self.until_improbable < 1:
            raise DiffusionNAGError(
                f"a chance of {self.until_improbable:g} cannot be waited for; take one between 0 and "
                "1, such as 0.01"
            )

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return the candidate with most to gain that is not `taken`, and keeps the limits.

        A uniform draw as long as there is nothing to learn from: fewer than 5 measured, or all of
        one value. The expected improvement of one objective is that beyond the running ones as well.
        Raises SpaceExhaustedError when all that keeps the limits is taken, ImprobableError when it is
        improbable that a candidate is better.
        """
        known = dict.fromkeys(trial.architecture for trial in measured)
        learned, running = self._learn(measured, rng)
        if learned is None:
            return self.draw(taken, rng)
        candidates = self._new_candidates(learned, {*taken, *known}, rng)
        if not candidates:
            return self.draw({*taken, *known}, rng)
        if self.until_improbable is not None:
            outlook = outlook_of(learned, candidates)
            if outlook is not None and outlook.chance_of_better < self.until_improbable:
                raise ImprobableError(
                    f"the chance that something better is left is {outlook.chance_of_better:.2%}"
                )
        if self.noisy:
            again = [each for each in known if each not in taken and self.space.is_valid(each)]
            candidates += within_limits(self.limits, again)
            scores = learned.noisy_scores(candidates)
        else:
            scores = learned.scores(self.acquisition, candidates, rng, running)
        return candidates[int(scores.argmax())]

    def _learn(
        self, measured: Sequence[Measured], rng: np.random.Generator
    ) -> tuple[Learned | None, list[Architecture]]:
        """Return what is learnt, and what is running where nothing was assumed of it to learn that."""
        # What was measured before may have other operations at nodes that are fixed now.
        space = self.space.whole
        running = [trial.architecture for trial in measured if trial.running]
        if running and self.acquisition == "EI" and not self.noisy:
            ended = [trial for trial in measured if not trial.running]
            learned = learn(space, ended, self.surrogate, rng)
            if learned is None or learned.knows_running:
                return learned, running
        return learn(space, measured, self.surrogate, rng), []

    def outlook(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Outlook | None:
        """Return what the surrogate says of a search, None where there is too little to say it."""
        learned = learn(self.space.whole, measured, self.surrogate, rng)
        return learned and outlook_of(learned, self._new_candidates(learned, taken, rng))

    def _new_candidates(
        self, learned: Learned, taken: Collection[Architecture], rng: np.random.Generator
    ) -> list[Architecture]:
        """Return the candidates that are not taken and keep the limits, each once."""
        candidates = dict.fromkeys(self.find_candidates(learned, rng))
        return within_limits(self.limits, [new for new in candidates if new not in taken])

    def draw(self, taken: Collection[Architecture], rng: np.random.Generator) -> Architecture:
        """Return a draw that is not `taken` and keeps the limits, uniform where that is possible.

        Raises SpaceExhaustedError when all that keeps them is taken.
        """
        return draw_untaken(self.space, taken, rng, self.limits, self.generator)

    def generate_promising(self, guide: Guidance, seed: int) -> list[Architecture]:
        """Return architectures generated under a guide within the limits, the best first."""
        assert self.generator is not None
        return generate_promising(guide, seed, self.limits, self.generator)

    def find_candidates(self, learned: Learned, rng: np.random.Generator) -> list[Architecture]:
        """Return the candidates of the strategy; some of them may be taken, or break a limit."""
        kinds = self.strategy.split("+")
        candidates: list[Architecture] = []
        for place, kind in enumerate(kinds):
            count = len(range(place, self.candidates, len(kinds)))
            if kind == "guided":
                candidates += self._guided(learned, count, rng)
            elif kind == "mutation":
                candidates += _mutants(self.space, learned.best(PARENTS), count, rng)
            else:
                candidates += self.space.sample(count, rng)
        return candidates

    def _guided(self, learned: Learned, count: int, rng: np.random.Generator) -> list[Architecture]:
        assert self.generator is not None
        rows, seed = min(count, BATCH), int(rng.integers(2**31))
        pulls: list[Guidance] = [Optimism(predictor) for predictor in learned.objectives]
        if len(pulls) > 1:
            # Each candidate has a direction of its own between the objectives, as along a front.
            shares = len(pulls) * torch.from_numpy(simplex(len(pulls), rows, seed)).T
            pulls = [RowWeights(pull, share) for pull, share in zip(pulls, shares, strict=True)]
        weights = torch.from_numpy(np.geomspace(*WEIGHTS, rows))
        guide: Guidance = RowWeights(Sum((*pulls, *learned.constraints, *self.limits)), weights)
        drawn = self.generator.within(self.space).draw(
            count, guide=guide, sampling=Sampling("ancestral", STEPS, seed)
        )
        return [architecture for architecture in drawn if self.space.is_valid(architecture)]


@dataclass(frozen=True)
class Optimism(Guidance):
    """Guidance to a high value that the predictor holds possible: one deviation above its mean."""

    predictor: Surrogate

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return k times mean and deviation, standardised, of the estimated clean ones, `batch`."""
        mean, std = self.predictor.distribution(clean)
        return GUIDANCE_SCALE * (mean + std)


def _mutants(
    space: SearchSpace, parents: Sequence[Architecture], count: int, rng: np.random.Generator
) -> list[Architecture]:
    """Return `count` architectures that differ in one operation from one of the parents."""
    chosen = rng.integers(len(parents), size=count)
    return [space.mutate(parents[row], rng) for row in chosen]
