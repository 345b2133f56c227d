"""What measurements have taught: a Gaussian process of each objective and of each constraint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation.dominance import choose
from diffusionnag.guidance import Guidance, Property
from diffusionnag.guidance.properties import GUIDANCE_SCALE
from diffusionnag.predictors import (
    FEWEST_ARCHITECTURES,
    Learner,
    ProcessOn,
    PropertyPredictor,
    Surrogate,
    features_besides,
)
from diffusionnag.search.proposers._acquisition import (
    acquire,
    augmented_improvement,
    improvement_beyond,
)
from diffusionnag.search.proposers._hypervolume import hypervolume_gain
from diffusionnag.search.trials import Measured
from diffusionnag.spaces import Architecture, SearchSpace

LEARNT_FROM = 200
"""Measurements that models are fitted on, so that proposals of a long study take no longer."""
MAGNITUDE = 0.5
"""A search is about the best few: how far they lie apart counts, besides their ranks."""


def gaussian_process(space: SearchSpace) -> PropertyPredictor:
    """Return the library's own surrogate, a Gaussian process."""
    return PropertyPredictor(space, "measured", model="gaussian_process", magnitude=MAGNITUDE)


def informed_process(space: SearchSpace, priors: Sequence[Property]) -> ProcessOn:
    """Return the surrogate that knows properties besides, which may be in other units, or misleading."""
    features = features_besides(space, priors)
    return ProcessOn(space, lambda _: features, magnitude=MAGNITUDE)


@dataclass(frozen=True)
class LearnedConstraint(Guidance):
    """What a predictor holds possible of a constraint, which is kept at 0 or less.

    Unlike a `Bound` it rejects nothing: what few measurements say may be wrong.
    """

    predictor: PropertyPredictor

    def log_probability(self, x: Tensor) -> Tensor:
        """Return the log-probability of keeping it for clean one-hot `batch x N x F`, `batch`."""
        mean, std = self.predictor.distribution(x)
        return torch.special.log_ndtr((self.predictor.to_standard(0.0) - mean) / std)

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return k times the log-probability that the estimated clean ones keep it, `batch`."""
        return GUIDANCE_SCALE * self.log_probability(clean)


@dataclass(frozen=True)
class Learned:
    """Predictors of each objective, more being better, and of each constraint, kept at 0 or less.

    They learnt from `measured`; `values` (`measured x objectives`) are what the objectives were.
    """

    space: SearchSpace
    measured: Sequence[Measured]
    values: np.ndarray
    objectives: list[Surrogate]
    constraints: list[LearnedConstraint]

    def best(self, count: int) -> list[Architecture]:
        """Return so many of the best measured, front by front where the objectives are several.

        Where none keeps the constraints, they are among those that break them least.
        """
        broken = np.array([trial.violation for trial in self.measured])
        rows = np.flatnonzero(broken == broken.min())
        chosen = rows[choose(self.values[rows], count)]
        return [self.measured[row].architecture for row in chosen]

    def scores(
        self,
        acquisition: str,
        candidates: Sequence[Architecture],
        rng: np.random.Generator,
        running: Sequence[Architecture] = (),
    ) -> np.ndarray:
        """Return how much is to be gained from measuring each candidate, `batch` float64.

        Of one objective it is the acquisition function plus the logarithm of the chance to keep the
        constraints (Gardner et al. 2014), of several the gain in hypervolume that they allow; as
        long as nothing measured keeps them, the chance to keep them. Given what is `running`, it is the
        expected improvement over that besides, of a surrogate that `knows_running`.
        """
        kept = np.array([trial.violation == 0 for trial in self.measured])
        chance = self.log_feasibility(candidates)
        if not kept.any():
            return chance
        standard = np.array(
            [
                [predictor.to_standard(value) for value in column]
                for predictor, column in zip(self.objectives, self.values.T, strict=True)
            ]
        )
        if len(self.objectives) == 1:
            best = float(standard[0, kept].max())
            if running:
                return self._beyond(running, candidates, best, rng) + chance
            with torch.no_grad():
                x = torch.from_numpy(self.space.encode(candidates))
                mean, std = (
                    moment.double().numpy() for moment in self.objectives[0].distribution(x)
                )
            return acquire(acquisition, mean, std, best, rng) + chance
        processes = [
            objective for objective in self.objectives if isinstance(objective, PropertyPredictor)
        ]
        if len(processes) < len(self.objectives):
            raise DiffusionNAGError("several objectives need the Gaussian process as surrogate")
        return hypervolume_gain(
            processes,
            [constraint.predictor for constraint in self.constraints],
            [trial.architecture for trial in self.measured],
            candidates,
            standard.min(axis=1),
            int(rng.integers(2**31)),
        )

    @property
    def knows_running(self) -> bool:
        """Whether there is one objective, of which the surrogate knows the joint distribution."""
        return len(self.objectives) == 1 and isinstance(self.objectives[0], PropertyPredictor)

    def _beyond(
        self,
        running: Sequence[Architecture],
        candidates: Sequence[Architecture],
        best: float,
        rng: np.random.Generator,
    ) -> np.ndarray:
        (surrogate,) = self.objectives
        assert isinstance(surrogate, PropertyPredictor)
        everything = [*running, *candidates]
        mean, covariance = (moment.numpy() for moment in surrogate.joint(everything))
        noise = self._noise(surrogate, everything, covariance)
        return improvement_beyond(mean, covariance, noise, best, len(running), rng)

    def _noise(
        self,
        surrogate: PropertyPredictor,
        architectures: Sequence[Architecture],
        covariance: np.ndarray,
    ) -> float:
        """Return the variance of a measurement around the true values, which have this covariance."""
        with torch.no_grad():
            x = torch.from_numpy(self.space.encode(architectures)).double()
            _, measuring = surrogate.distribution(x)
        return float((measuring.numpy() ** 2 - covariance.diagonal()).clip(min=1e-9).mean())

    def noisy_scores(self, candidates: Sequence[Architecture]) -> np.ndarray:
        """Return how much is to be gained from measuring each candidate, perhaps again, `batch` float64.

        It is the augmented expected improvement (Huang et al. 2006) of one objective over the measured
        one whose mean less its deviation is highest, plus the logarithm of the chance to keep the
        constraints. Raises DiffusionNAGError for a surrogate that does not tell noise from ignorance.
        """
        kept = [trial.architecture for trial in self.measured if trial.violation == 0]
        (surrogate,) = self.objectives
        chance = self.log_feasibility(candidates)
        if not isinstance(surrogate, PropertyPredictor):
            raise DiffusionNAGError("noisy measuring needs the Gaussian process as surrogate")
        if not kept:
            return chance
        everything = [*kept, *candidates]
        mean, covariance = (moment.numpy() for moment in surrogate.joint(everything))
        std = np.sqrt(covariance.diagonal().clip(min=1e-9))
        noise = float(np.sqrt(self._noise(surrogate, everything, covariance)))
        known = len(kept)
        best = mean[int((mean - std)[:known].argmax())]
        return augmented_improvement(mean[known:], std[known:], noise, best) + chance

    def log_feasibility(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the log-probability of keeping all constraints at once, `batch` float64."""
        with torch.no_grad():
            x = torch.from_numpy(self.space.encode(architectures))
            total = torch.zeros(len(x), dtype=torch.float64)
            for constraint in self.constraints:
                total += constraint.log_probability(x)
        return total.numpy()


def representative(measured: Sequence[Measured]) -> Sequence[Measured]:
    """Return 200 of the measured at most, in their order: the best, and others evenly by rank."""
    if len(measured) <= LEARNT_FROM:
        return measured
    values = np.array([trial.values for trial in measured])
    broken = np.array([trial.violation for trial in measured])
    allowed = np.flatnonzero(broken == broken.min())
    best = allowed[choose(values[allowed], LEARNT_FROM // 2)]
    others = np.setdiff1d(np.arange(len(measured)), best)
    others = others[np.argsort(values[others, 0], kind="stable")]
    spread = np.linspace(0, len(others) - 1, LEARNT_FROM - len(best)).round().astype(int)
    return [measured[row] for row in np.sort([*best, *others[spread]])]


def learn(
    space: SearchSpace,
    measured: Sequence[Measured],
    surrogate: Callable[[SearchSpace], Learner],
    rng: np.random.Generator,
) -> Learned | None:
    """Return what measurements teach, None where that is nothing.

    Objectives are learnt by a `surrogate`, constraints by a Gaussian process. One with fewer than
    5 values, or the same all over, is left out. Of more than 200 measurements the best half of so
    many are learnt from, and as many spread over the others.
    """
    measured = representative(measured)
    if len(measured) < FEWEST_ARCHITECTURES:
        return None
    values = np.array([trial.values for trial in measured])
    values = values[:, np.ptp(values, axis=0) > 0]
    if not values.size:
        return None
    seed = int(rng.integers(2**31))
    architectures = [trial.architecture for trial in measured]
    objectives = [surrogate(space).fit(architectures, column, seed=seed) for column in values.T]
    constraints = []
    for name in sorted({name for trial in measured for name in trial.constraints}):
        having = [trial for trial in measured if name in trial.constraints]
        column = np.array([trial.constraints[name] for trial in having])
        if len(having) >= FEWEST_ARCHITECTURES and np.ptp(column) > 0:
            predictor = gaussian_process(space)
            predictor.fit([trial.architecture for trial in having], column, seed=seed)
            constraints.append(LearnedConstraint(predictor))
    return Learned(space, measured, values, objectives, constraints)
