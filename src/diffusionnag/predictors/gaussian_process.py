"""An exact Gaussian process on path features: what ranks best from few labelled architectures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from diffusionnag.artifacts.schema import from_json
from diffusionnag.predictors.kernel import (
    covariance_of,
    fit_kernel,
    kernel_prior,
    noisy_covariance,
    squared_distances,
    weights_of,
)
from diffusionnag.predictors.model import Model
from diffusionnag.predictors.path_features import (
    ArchitectureFeatures,
    FeatureGroups,
    PathFeatures,
    PathsAndOrder,
)
from diffusionnag.predictors.plausible_kernels import plausible_kernels
from diffusionnag.spaces import SearchSpace

FEATURES = {
    "all": ArchitectureFeatures,
    "paths_and_order": PathsAndOrder,
    "paths": PathFeatures,
}
FITTED_ON = 400
"""Kernel parameters are fitted on so many architectures at most; the posterior uses all."""


@dataclass(frozen=True)
class GaussianProcessConfig:
    """How many labelled architectures a process is fitted on, and whether some were measured often."""

    labelled: int
    repeated: bool = False
    features: Literal["all", "paths_and_order", "paths"] = "all"
    """What its kernel sees: all features of architectures, or those that there were before."""
    aspects: tuple[str, ...] = ()
    """What was learnt besides on the same architectures, by name."""


class GaussianProcess(Model):
    """A zero-mean process whose kernel is a sum of one squared exponential per feature group.

    `kernel` holds each group's log variance, then each group's log length, then the log noise
    variance; `operations` (`labelled x N`) and `weights` (`labelled`) are the posterior mean.
    The groups are those of all features of architectures, unless others are given. Where
    architectures were measured several times, `repeats` (`labelled`) says how often: the noise of a
    mean is the smaller. `aspect_weights` (`labelled x aspects`) are the posterior means of its
    aspects, under the same kernel.
    """

    kind = "gaussian_process"
    operations: Tensor
    weights: Tensor
    kernel: Tensor
    centre: Tensor
    repeats: Tensor | None
    aspect_weights: Tensor | None
    aspect_centres: Tensor | None

    def __init__(
        self,
        space: SearchSpace,
        config: GaussianProcessConfig,
        features: FeatureGroups | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.features = FEATURES[config.features](space) if features is None else features
        self.operation_count = len(space.operations)
        double = torch.float64
        nodes, labelled = len(space.nodes), config.labelled
        self.register_buffer("operations", torch.zeros(labelled, nodes, dtype=torch.uint8))
        self.register_buffer("weights", torch.zeros(labelled, dtype=double))
        self.register_buffer("kernel", torch.zeros(2 * self.features.groups + 1, dtype=double))
        self.register_buffer("centre", torch.zeros((), dtype=double))
        self.register_buffer("repeats", torch.ones(labelled) if config.repeated else None)
        count = len(config.aspects)
        weights = torch.zeros(labelled, count, dtype=double) if count else None
        self.register_buffer("aspect_weights", weights)
        self.register_buffer("aspect_centres", torch.zeros(count, dtype=double) if count else None)
        self._known: dict[torch.dtype, tuple[list[Tensor], Tensor]] = {}

    @classmethod
    def from_config(
        cls, space: SearchSpace, config: Mapping[str, Any], features: FeatureGroups | None = None
    ) -> Self:
        """Return an unfitted process of the settings that `config` was saved as."""
        settings = dict(config)
        before = "paths_and_order" if settings.pop("ordered", False) else "paths"
        known = from_json(GaussianProcessConfig, {"features": before, **settings}, "model")
        return cls(space, known, features)

    def fit(
        self,
        x: Tensor,
        target: Tensor,
        conditions: np.ndarray | None = None,
        *,
        steps: int | None = None,
        seed: int,
        report: Callable[[int, int], None] = lambda step, steps: None,
    ) -> None:
        """Fit the kernel on 400 architectures at most, which the seed draws, the posterior on all.

        A target of `count x (1 + aspects)` is the property, and then its aspects.
        """
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        fit_gaussian_process(self, x[order], target[order], report)

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return posterior mean and standard deviation (noise included) of `batch x N x F`."""
        known, inverse = self._prepared(x)
        covariance = covariance_of(self.features(x), known, self.kernel.to(x))
        mean = covariance @ self.weights.to(x) + self.centre.to(x)
        prior = self.kernel[: self.features.groups].exp().sum() + self.kernel[-1].exp()
        explained = (covariance @ inverse).square().sum(1)
        return mean, (prior.to(x) - explained).clamp(min=1e-6).sqrt()

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the posterior mean alone, `batch`; a third of the work of both."""
        known, _ = self._prepared(x)
        return covariance_of(self.features(x), known, self.kernel.to(x)) @ self.weights.to(x) + (
            self.centre.to(x)
        )

    @property
    def aspect_names(self) -> tuple[str, ...]:
        """What was learnt besides the property, by name."""
        return self.config.aspects

    def aspects(self, x: Tensor) -> Tensor:
        """Return the posterior mean of the property and of each aspect, `batch x (1 + aspects)`."""
        if self.aspect_weights is None or self.aspect_centres is None:
            return super().aspects(x)
        known, _ = self._prepared(x)
        weights = torch.cat([self.weights[:, None], self.aspect_weights], dim=1).to(x)
        centres = torch.cat([self.centre[None], self.aspect_centres]).to(x)
        return covariance_of(self.features(x), known, self.kernel.to(x)) @ weights + centres

    def joint(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return posterior mean, `batch`, and covariance, `batch x batch`, without the noise."""
        known, inverse = self._prepared(x)
        features, kernel = self.features(x), self.kernel.to(x)
        covariance = covariance_of(features, known, kernel)
        mean = covariance @ self.weights.to(x) + self.centre.to(x)
        explained = covariance @ inverse
        return mean, covariance_of(features, features, kernel) - explained @ explained.T

    def plausible_joints(self, x: Tensor, count: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what `joint` returns under so many kernels that the measurements hold possible."""
        known, features = self.features(self._one_hot().to(x)), self.features(x)
        measured = noisy_covariance(known, self.kernel, self.repeats) @ self.weights
        distances = torch.stack([squared_distances(group, group) for group in known])

        def log_likelihood(kernel: Tensor) -> float:
            factor, whitened = _whitened(known, kernel, self.repeats, measured)
            return float(-0.5 * whitened.square().sum() - factor.diagonal().log().sum())

        prior = kernel_prior(distances, self.features.predicted_groups)
        for kernel in plausible_kernels(log_likelihood, self.kernel, prior, count, seed):
            factor, whitened = _whitened(known, kernel, self.repeats, measured)
            across = covariance_of(known, features, kernel)
            explained = torch.linalg.solve_triangular(factor, across, upper=False)
            covariance = covariance_of(features, features, kernel) - explained.T @ explained
            yield self.centre + explained.T @ whitened, covariance

    def _prepared(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the labelled features, and the transposed inverse Cholesky factor, as x is."""
        if x.dtype not in self._known or self._known[x.dtype][1].device != x.device:
            # What is kept must serve gradients later, even where none are asked for now.
            with torch.inference_mode(False), torch.no_grad():
                known = self.features(self._one_hot())
                factor = torch.linalg.cholesky(noisy_covariance(known, self.kernel, self.repeats))
                identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
                inverse = torch.linalg.solve_triangular(factor, identity, upper=False).T
                groups = [group.to(x.device, x.dtype) for group in known]
                self._known[x.dtype] = (groups, inverse.to(x.device, x.dtype))
        return self._known[x.dtype]

    def _one_hot(self) -> Tensor:
        return nn.functional.one_hot(self.operations.long(), self.operation_count).double()


def fit_gaussian_process(
    process: GaussianProcess, x: Tensor, target: Tensor, report: Callable[[int, int], None]
) -> None:
    """Fit in place on one-hot x `labelled x N x F` and target `labelled`, or that and its aspects'.

    The kernel is fitted on the first 400 architectures at most, as suits the property.
    """
    known, targets = process.features(x.double()), target.double().reshape(len(target), -1)
    few = [group[:FITTED_ON] for group in known]
    kernel = fit_kernel(
        few,
        targets[:FITTED_ON, 0],
        report,
        predicted_groups=process.features.predicted_groups,
    )
    with torch.no_grad():
        centres, weights = targets.mean(0), weights_of(known, kernel, targets)
        process.kernel.copy_(kernel)
        process.centre.copy_(centres[0])
        process.operations.copy_(x.argmax(-1))
        process.weights.copy_(weights[:, 0])
        if process.aspect_weights is not None and process.aspect_centres is not None:
            process.aspect_weights.copy_(weights[:, 1:])
            process.aspect_centres.copy_(centres[1:])


def _whitened(
    known: list[Tensor], kernel: Tensor, repeats: Tensor | None, measured: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the Cholesky factor of measured values' covariance, square, and what it makes of them."""
    factor = torch.linalg.cholesky(noisy_covariance(known, kernel, repeats))
    return factor, torch.linalg.solve_triangular(factor, measured[:, None], upper=False)[:, 0]
