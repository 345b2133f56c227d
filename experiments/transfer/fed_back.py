"""Searches that start from what is known of a data set before anything is measured on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from diffusionnag.guidance import Bound, Property, maximize
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.guidance.terms import Sum, merit
from diffusionnag.predictors import (
    FEWEST_ARCHITECTURES,
    FeaturesAnd,
    PathFeatures,
    ProcessOn,
)
from diffusionnag.proxies import shipped_proxies
from diffusionnag.search import DiffusionNAGSampler
from diffusionnag.search.objectives import read_objective
from diffusionnag.search.proposers import Proposer
from diffusionnag.search.study import value_of
from diffusionnag.search.trials import Measured
from diffusionnag.spaces import Architecture
from experiments.search.search_benchmarks import test_accuracy
from experiments.search.search_runs import Keyed, propose_until_goal, search_until_goal
from experiments.transfer.known_by_images import transfer_to

CAP = 40
"""When a search that learns from each measurement is given up."""
DRAWN = 1_000
"""Random candidates for each measurement of the search without a generator."""
IMAGES, PROXIES, BOTH = "images alone", "proxies alone", "images and proxies"
TNAS = "TNAS-like"


def known_of(dataset: str, knowledge: str) -> list[Property]:
    """Return what is known of a data set: its predicted accuracy, proxies, or both."""
    accuracy, _ = transfer_to(dataset)
    proxies = shipped_proxies(accuracy.search_space)
    return {IMAGES: [accuracy], PROXIES: [*proxies], BOTH: [accuracy, *proxies]}[knowledge]


@dataclass(frozen=True)
class TransferSearch:
    """Bayesian optimisation from what is known over random candidates, as TNAS has it.

    A Gaussian process on path features and on each prediction stands for the published deep kernel
    (Shala et al. 2023); the first five measured are those predicted to be best.
    """

    known: Sequence[Property]
    limits: tuple[Bound, ...] = ()

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return the next architecture to measure, as `Proposes` has it."""
        space = self.known[0].search_space
        if len(measured) < FEWEST_ARCHITECTURES:
            drawn = [
                architecture
                for architecture in within_limits(self.limits, space.sample(DRAWN, rng))
                if architecture not in taken
            ]
            guide = Sum(tuple(map(maximize, self.known)))
            return drawn[int(merit(guide, space, drawn).argmax())]
        features = FeaturesAnd(
            PathFeatures(space),
            lambda x: [prior.standardised(x.float())[:, None] for prior in self.known],
            len(self.known),
        )
        proposer = Proposer(
            space,
            strategy="random",
            candidates=DRAWN,
            surrogate=lambda space: ProcessOn(space, lambda architectures: features),
            limits=self.limits,
        )
        return proposer.propose(measured, taken, rng)


@dataclass(frozen=True)
class FedBack(Keyed):
    """One search for the best cell of a data set by a method, each measurement fed back."""

    dataset: str
    method: str
    knowledge: str
    seed: int

    @property
    def title(self) -> str:
        """Return what it is called where progress is shown."""
        return f"{self.dataset}, {self.method}, {self.knowledge}, seed {self.seed}"

    def search(self) -> list[list[float]]:
        """Return searched and reported values, the same, of what is measured in order."""
        known, benchmark = known_of(self.dataset, self.knowledge), test_accuracy(self.dataset)
        space = known[0].search_space
        measure = read_objective(benchmark.searched, space)
        if self.method == TNAS:
            values = propose_until_goal(
                TransferSearch(known),
                lambda architecture: float(measure(architecture)),  # type: ignore[arg-type]
                benchmark.is_goal,
                CAP,
                seed=self.seed,
            )
        else:
            # All candidates are generated: none is a mutant of what was measured.
            sampler = DiffusionNAGSampler(
                space, strategy="guided", start_from=known, seed=self.seed
            )
            trials = search_until_goal(benchmark, sampler, measure, CAP)
            values = [value_of(trial) for trial in trials]
        return [values, values]
