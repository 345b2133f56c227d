"""Transfer between tasks with tables: a multi-task Gaussian process with learnt similarities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffusionnag._adam import Adam
from diffusionnag._devices import torch_defaults
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance.properties import SMALLEST_STD, Property
from diffusionnag.predictors import (
    PathFeatures,
    RankGaussian,
    covariance_of,
    fit_kernel,
    noisy_covariance,
)
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables import nothing_to_learn

FEWEST_TASKS = 2
MAGNITUDE = 0.5
"""How much the distances of known tasks' values count beside their ranks."""
ITERATIONS = 80
LEARNING_RATE = 0.1
# Logarithms of the three variances, and the mean's share, that hold without evidence; how sure.
CENTRES = (0.0, -3.0, -2.0, 1.0)
WIDTHS = (2.0, 2.0, 1.5, 0.5)


@dataclass(frozen=True)
class Similarity:
    """How a task is like those that are known; learnt by taking each known task for the new one.

    On the scale on which values are standard normal, a task is `mean` times the mean of the known
    tasks, a weighted sum of how each of these differs from it (weights of variance `shared`, so none
    if 0), a part of its `own`, a share of the known tasks' kernel, and `noise`, a variance.
    """

    shared: float
    own: float
    noise: float
    mean: float


class Described(NamedTuple):
    """What the process looks at: path features in groups, and the scores of the known tasks."""

    features: list[Tensor]
    """Each `batch x features`."""
    scores: Tensor
    """`batch x tasks`."""
    explained: Tensor
    """`batch x labelled`: its products are what labelled architectures explain of the kernel."""


@dataclass(frozen=True, eq=False)
class _Measured:
    """What was measured of the new task."""

    described: Described
    weights: Tensor
    """Of the posterior mean, `measured`."""
    inverse: Tensor
    """The transposed inverse Cholesky factor of the covariance, `measured x measured`."""
    target: RankGaussian
    scale: float
    shift: float


@dataclass(frozen=True, eq=False)
class TaskTransfer(Property):
    """How good architectures are for a new task: what known tasks teach, and what was measured of it.

    Kernel: an intrinsic coregionalisation model (Bonilla et al. 2008) of the known tasks and the
    new one, whose weights on them are normal variables, and a part of the new task's own.
    """

    search_space: SearchSpace
    property_name: str
    similarity: Similarity
    features: PathFeatures
    kernel: Tensor
    """Of path features, `2 groups + 1`, as `fit_kernel` returns it."""
    labelled: list[Tensor]
    """Features of the architectures that are known of all tasks."""
    weights: Tensor
    """Of the known tasks' posterior means, `labelled x tasks`."""
    inverse: Tensor
    """The transposed inverse Cholesky factor of the labelled covariance, `labelled x labelled`."""
    measured: _Measured | None = None

    @classmethod
    @torch_defaults()
    def learn(
        cls,
        space: SearchSpace,
        architectures: Sequence[Architecture],
        values: np.ndarray,
        *,
        name: str = "transferred",
        report: Callable[[int, int], None] = lambda step, steps: None,
    ) -> TaskTransfer:
        """Learn from the values of the same architectures on several tasks, `count x tasks`.

        More is better on every task; their units may differ. Raises DiffusionNAGError for fewer
        than two tasks, which tell nothing of how tasks are alike, for values of another shape, and
        for those that are not finite or all the same on a task.
        """
        _check_values(architectures, values)
        tasks = values.shape[1]
        if tasks < FEWEST_TASKS:
            raise DiffusionNAGError(f"{tasks} known task is too few; name at least {FEWEST_TASKS}")
        columns = [RankGaussian.fit(column, MAGNITUDE).to_normal(column) for column in values.T]
        normal = torch.from_numpy(np.stack(columns, axis=1))
        features = PathFeatures(space)
        labelled = features(torch.from_numpy(space.encode(architectures)).double())
        kernel = fit_kernel(labelled, normal, report)
        factor = torch.linalg.cholesky(noisy_covariance(labelled, kernel))
        weights = torch.cholesky_solve(normal, factor)
        covariance = covariance_of(labelled, labelled, kernel)
        similarity = learn_similarity(covariance @ weights, normal, covariance)
        inverse = torch.linalg.inv(factor).T
        return cls(space, name, similarity, features, kernel, labelled, weights, inverse)

    @torch_defaults()
    def given(self, architectures: Sequence[Architecture], values: np.ndarray) -> TaskTransfer:
        """Return what it holds knowing these values of the new task, one an architecture, in any unit.

        More is better. Values are put on the scale of the known tasks, where they spread as much as
        is expected of these architectures; so a single one, or equal ones, say nothing. Raises
        DiffusionNAGError for values of another shape, or that are not finite.
        """
        values = np.asarray(values, dtype=np.float64)
        _check_finite(architectures, values)
        if len(np.unique(values)) < 2:
            return replace(self, measured=None)
        target = RankGaussian.fit(values, magnitude=1.0)
        standard = torch.from_numpy(target.to_normal(values))
        with torch.no_grad():
            described = self.describe(
                torch.from_numpy(self.search_space.encode(architectures)).double()
            )
            mean = self.similarity.mean * described.scores.mean(1)
            covariance = self._covariance(described, described)
            covariance.diagonal().add_(self.similarity.noise)
            centred = covariance.diagonal().mean() - covariance.mean()
            expected = (mean.var(correction=0) + centred).sqrt().clamp(min=SMALLEST_STD)
            scale = float(expected / standard.std(correction=0))
            shift = float(mean.mean() - scale * standard.mean())
            factor = torch.linalg.cholesky(covariance)
            inverse = torch.linalg.inv(factor).T
            weights = inverse @ (inverse.T @ (scale * standard + shift - mean))
        known = _Measured(described, weights, inverse, target, scale, shift)
        return replace(self, measured=known)

    def describe(self, x: Tensor) -> Described:
        """Return what the process looks at of one-hot x, `batch x N x F`."""
        features = self.features(x)
        labelled = [group.to(x) for group in self.labelled]
        covariance = covariance_of(features, labelled, self.kernel.to(x))
        scores, explained = (covariance @ part.to(x) for part in (self.weights, self.inverse))
        return Described(features, scores, explained)

    def judge(self, described: Described) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, standardised, each `batch`."""
        scores, known = described.scores, self.measured
        mean = self.similarity.mean * scores.mean(1)
        variance = self.similarity.shared * _differences(scores).square().sum(1)
        prior = self.kernel[: self.features.groups].exp().sum().to(scores)
        unknown = prior - described.explained.square().sum(1)
        variance = variance + self.similarity.own * prior + self._known_share() * unknown
        variance = variance + self.similarity.noise
        if known is not None:
            covariance = self._covariance(described, known.described)
            mean = mean + covariance @ known.weights.to(scores)
            variance = variance - (covariance @ known.inverse.to(scores)).square().sum(1)
        return mean, variance.clamp(min=1e-6).sqrt()

    def _covariance(self, a: Described, b: Described) -> Tensor:
        others = [group.to(a.scores) for group in b.features]
        shared = _differences(a.scores) @ _differences(b.scores.to(a.scores)).T
        kernel = covariance_of(a.features, others, self.kernel.to(a.scores))
        unknown = kernel - a.explained @ b.explained.to(a.scores).T
        return (
            self.similarity.shared * shared
            + self.similarity.own * kernel
            + self._known_share() * unknown
        )

    def _known_share(self) -> float:
        """Return how much of what is unknown of each known task is unknown of the new one."""
        tasks, similarity = self.weights.shape[1], self.similarity
        return similarity.mean**2 / tasks + similarity.shared * (1 - 1 / tasks)

    def task_weights(self) -> np.ndarray:
        """Return how much each known task counts, `tasks`: all alike before anything is measured."""
        tasks = self.weights.shape[1]
        weights = torch.full((tasks,), self.similarity.mean / tasks, dtype=torch.float64)
        if self.measured is not None:
            differences = _differences(self.measured.described.scores)
            drawn = self.similarity.shared * differences.T @ self.measured.weights / tasks**0.5
            weights += drawn - drawn.mean()
        return weights.numpy()

    # -- as a property ----------------------------------------------------------------------------

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, standardised, each `batch`, of `batch x N x F`."""
        return self.judge(self.describe(x))

    def to_standard(self, value: float) -> float:
        """Return a value of the new task as the process sees it; a normal score if none is known."""
        if self.measured is None:
            return value
        known = self.measured
        return known.scale * float(known.target.to_normal(np.array(value))) + known.shift

    @torch_defaults()
    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation, each `batch`: in the unit of what was measured, or normal scores."""
        with torch.no_grad():
            x = torch.from_numpy(self.search_space.encode(architectures)).double()
            mean, std = (part.numpy() for part in self.judge(self.describe(x)))
        if self.measured is None:
            return mean, std
        known = self.measured
        values, normal = known.target.values, known.target.normal
        # Beyond what was measured it goes on in a straight line, as `to_normal` does.
        slope = np.ptp(values) / np.ptp(normal)
        centre = (mean - known.shift) / known.scale
        beyond = centre - centre.clip(normal[0], normal[-1])
        return known.target.to_value(centre) + slope * beyond, slope * std / known.scale


def learn_similarity(scores: Tensor, normal: Tensor, covariance: Tensor) -> Similarity:
    """Return what makes each known task likeliest, the others being known, times a weak prior.

    `scores` and `normal` are predicted and measured values, `labelled x tasks`, and `covariance`,
    `labelled x labelled`, the kernel of path features.
    """
    tasks = scores.shape[1]
    others = [[task for task in range(tasks) if task != left_out] for left_out in range(tasks)]
    means = torch.stack([scores[:, rest].mean(1) for rest in others])
    differences = torch.stack([_differences(scores[:, rest]) for rest in others])
    shared = differences @ differences.transpose(1, 2)
    identity = torch.eye(len(scores), dtype=scores.dtype)
    centres, widths = (torch.tensor(part, dtype=torch.float64) for part in (CENTRES, WIDTHS))
    parameters = centres.clone().requires_grad_()
    optimiser = Adam(parameters, LEARNING_RATE)
    for _ in range(ITERATIONS):
        variances = parameters[:3].exp()
        joint = variances[0] * shared + variances[1] * covariance + variances[2] * identity
        factor = torch.linalg.cholesky(joint + 1e-6 * identity)
        residual = (normal.T - parameters[3] * means)[:, :, None]
        solved = torch.linalg.solve_triangular(factor, residual, upper=False)
        loss = 0.5 * solved.square().sum() + factor.diagonal(dim1=1, dim2=2).log().sum()
        loss = loss + 0.5 * ((parameters - centres) / widths).square().sum()
        (gradient,) = torch.autograd.grad(loss, parameters)
        optimiser.step(gradient)
    *logarithms, mean = parameters.tolist()
    shared, own, noise = np.exp(logarithms).tolist()
    return Similarity(shared, own, noise, mean)


def _check_values(architectures: Sequence[Architecture], values: np.ndarray) -> None:
    """Raise DiffusionNAGError unless values, `count x tasks`, can be learnt."""
    _check_finite(architectures, values)
    for task, column in enumerate(values.T):
        if fault := nothing_to_learn(column):
            raise DiffusionNAGError(f"task {task} cannot be learnt: {fault}")


def _check_finite(architectures: Sequence[Architecture], values: np.ndarray) -> None:
    if len(values) != len(architectures):
        raise DiffusionNAGError(
            f"{len(architectures)} architectures and values of {len(values)}: one row each"
        )
    missing = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if missing.any():
        raise DiffusionNAGError(
            f"architecture {int(missing.argmax())} has a value that is not finite; leave it out"
        )


def _differences(scores: Tensor) -> Tensor:
    """Return how each task differs from the mean of all, `batch x tasks`, over the root of their number."""
    return (scores - scores.mean(1, keepdim=True)) / scores.shape[1] ** 0.5
