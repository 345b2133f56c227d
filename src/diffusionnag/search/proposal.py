"""What to measure next: candidates of one of four strategies, chosen by an acquisition function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generator import BATCH, Generator
from diffusionnag.guidance import Guidance
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.guidance.terms import RowWeights
from diffusionnag.predictors.property_predictor import FEWEST_ARCHITECTURES, PropertyPredictor
from diffusionnag.search.acquisition import ACQUISITIONS, acquire, check_choice
from diffusionnag.spaces import Architecture, SearchSpace

STRATEGIES = ("guided", "mutation", "mutation+random", "random")
"""Ways to find candidates (paper, section 3.2): ours, and those it is compared with."""
CANDIDATES = 256
WEIGHTS = (0.25, 8.0)
"""Each candidate is guided by a weight of its own: weak guidance explores, strong guidance refines."""
PARENTS = 10
"""Mutation changes one of so many best architectures."""
ATTEMPTS = 20
"""Rounds of random draws before what is left of a space is looked for one by one."""


@dataclass(frozen=True)
class Measured:
    """An architecture and its value, more being better."""

    architecture: Architecture
    value: float


class Proposes(Protocol):
    """What decides which architecture is measured next."""

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return an architecture that is not `taken`; `measured` comes in the order of the trials.

        All that is remembered of earlier proposals is what was measured. Raises DiffusionNAGError
        when the whole space is taken.
        """
        ...


class Surrogate(Protocol):
    """A model of the objective, fitted on what was measured."""

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> object:
        """Fit on measured values, `count`, one an architecture."""
        ...

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return standardised mean and deviation, each `batch`, of one-hot x `batch x N x F`."""
        ...

    def to_standard(self, value: float) -> float:
        """Return a value as a standard normal score."""
        ...


def gaussian_process(space: SearchSpace) -> Surrogate:
    """Return the library's own surrogate, a Gaussian process on path features."""
    return PropertyPredictor(space, "objective", model="gaussian_process")


@dataclass(frozen=True)
class Proposer:
    """How architectures are proposed: a strategy that finds candidates, and what chooses among them.

    Only the strategy `guided` needs the generator. Raises DiffusionNAGError for an unknown strategy
    or acquisition function, for fewer than 1 candidate, or a generator that is missing or of
    another space.
    """

    space: SearchSpace
    generator: Generator | None = None
    strategy: str = "guided"
    acquisition: str = "EI"
    candidates: int = CANDIDATES
    surrogate: Callable[[SearchSpace], Surrogate] = gaussian_process

    def __post_init__(self) -> None:
        check_choice("strategy", self.strategy, STRATEGIES)
        check_choice("acquisition function", self.acquisition, ACQUISITIONS)
        if self.candidates < 1:
            raise DiffusionNAGError(f"{self.candidates} candidates are too few; take at least 1")
        if self.strategy == "guided" and self.generator is None:
            raise DiffusionNAGError("the strategy guided needs a generator of the search space")
        if self.generator is not None and self.generator.search_space.name != self.space.name:
            raise DiffusionNAGError(
                f"the generator is of {self.generator.search_space.name}, not of {self.space.name}"
            )

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return the candidate with most to gain that is not `taken`.

        A uniform draw as long as there is nothing to learn from: fewer than 10 measured, or all of
        one value. Raises DiffusionNAGError when the whole space is taken.
        """
        values = np.array([one.value for one in measured])
        if len(measured) < FEWEST_ARCHITECTURES or np.ptp(values) == 0:
            return draw_untaken(self.space, taken, rng)
        predictor = self.surrogate(self.space)
        seed = int(rng.integers(2**31))
        predictor.fit([one.architecture for one in measured], values, seed=seed)
        found = self.find_candidates(predictor, measured, rng)
        candidates = [one for one in dict.fromkeys(found) if one not in taken]
        if not candidates:
            return draw_untaken(self.space, taken, rng)
        with torch.no_grad():
            x = torch.from_numpy(self.space.encode(candidates))
            mean, std = (part.double().numpy() for part in predictor.distribution(x))
        best = predictor.to_standard(values.max())
        scores = acquire(self.acquisition, mean, std, best, rng)
        return candidates[int(scores.argmax())]

    def find_candidates(
        self,
        predictor: Surrogate,
        measured: Sequence[Measured],
        rng: np.random.Generator,
    ) -> list[Architecture]:
        """Return the candidates of the strategy, some of them taken perhaps."""
        if self.strategy == "guided":
            return self._guided(predictor, rng)
        if self.strategy == "random":
            return self.space.sample(self.candidates, rng)
        ranked = sorted(measured, key=lambda one: one.value, reverse=True)
        parents = [one.architecture for one in ranked[:PARENTS]]
        if self.strategy == "mutation":
            return _mutants(self.space, parents, self.candidates, rng)
        half = self.candidates // 2
        mutants = _mutants(self.space, parents, half, rng)
        return mutants + self.space.sample(self.candidates - half, rng)

    def _guided(self, predictor: Surrogate, rng: np.random.Generator) -> list[Architecture]:
        assert self.generator is not None
        weights = torch.from_numpy(np.geomspace(*WEIGHTS, min(self.candidates, BATCH)))
        guide = RowWeights(Optimism(predictor), weights)
        found = self.generator.sample(self.candidates, guide=guide, seed=int(rng.integers(2**31)))
        return found.architectures


@dataclass(frozen=True)
class Optimism(Guidance):
    """Guidance to a high value that the predictor holds possible: one deviation above its mean."""

    predictor: Surrogate

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return k times mean and deviation, standardised, of the estimated clean ones, `batch`."""
        mean, std = self.predictor.distribution(clean)
        return GUIDANCE_SCALE * (mean + std)


def draw_untaken(
    space: SearchSpace, taken: Collection[Architecture], rng: np.random.Generator
) -> Architecture:
    """Return a uniform draw that is not taken; DiffusionNAGError when the whole space is."""
    for _ in range(ATTEMPTS):
        for drawn in space.sample(8, rng):
            if drawn not in taken:
                return drawn
    left = [one for one in space.enumerate() if one not in taken] if space.is_enumerable else []
    if not left:
        raise DiffusionNAGError(
            f"every architecture of {space.name} that can be found has been proposed"
        )
    return left[int(rng.integers(len(left)))]


def _mutants(
    space: SearchSpace, parents: Sequence[Architecture], count: int, rng: np.random.Generator
) -> list[Architecture]:
    """Return `count` architectures that differ in one operation from one of the parents."""
    chosen = rng.integers(len(parents), size=count)
    return [space.mutate(parents[row], rng) for row in chosen]
