"""Expected gain in hypervolume: what is worth measuring where several objectives count."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from linear_operator.utils.warnings import NumericalWarning
from torch import Tensor

from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture

DRAWS = 128
"""Draws of all values from the posterior that the expectation is taken over."""

# BoTorch would compile a kernel that only serves a front known exactly, not a drawn one; a process
# that is killed while it compiles leaves a lock behind that halts every later one.
logei._load_attempted = True


def hypervolume_gain(
    objectives: Sequence[PropertyPredictor],
    constraints: Sequence[PropertyPredictor],
    measured: Sequence[Architecture],
    candidates: Sequence[Architecture],
    reference: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Return the logarithm of the gain in feasible hypervolume expected of each candidate, `batch`.

    It is BoTorch's noisy expected hypervolume improvement (Daulton et al. 2021; Ament et al. 2023)
    over what was `measured`, whose values are as uncertain as the predictors, Gaussian processes,
    hold them. More of an objective is better, a constraint is kept at 0 or less; `reference` (one
    number for each objective, standardised) is the corner of the volume.
    """
    everything = [*measured, *candidates]
    places = torch.arange(len(everything), dtype=torch.float64)[:, None]
    known, new = places.split([len(measured), len(candidates)])
    bounds = [constraint.to_standard(0.0) for constraint in constraints]

    def excess(place: int, bound: float) -> Any:
        return lambda values: values[..., len(objectives) + place] - bound

    with warnings.catch_warnings(), torch.no_grad(), torch.random.fork_rng(devices=[]):
        # BoTorch prunes by draws of its own, which follow from the state of the whole process.
        torch.manual_seed(seed)
        # Covariances of what is known well are singular but for rounding.
        warnings.simplefilter("ignore", NumericalWarning)
        gain = logei.qLogNoisyExpectedHypervolumeImprovement(
            _Indexed([*objectives, *constraints], everything),
            ref_point=torch.from_numpy(reference),
            X_baseline=known,
            sampler=SobolQMCNormalSampler(torch.Size([DRAWS]), seed=seed),
            objective=IdentityMCMultiOutputObjective(list(range(len(objectives)))),
            constraints=[excess(place, bound) for place, bound in enumerate(bounds)] or None,
            prune_baseline=True,
            cache_root=False,
        )
        return gain(new[:, None]).numpy()


class _Indexed(Model):
    """A BoTorch model of a list of architectures, whose inputs are places in that list."""

    def __init__(
        self, predictors: Sequence[PropertyPredictor], architectures: Sequence[Architecture]
    ) -> None:
        super().__init__()
        self._joint = [predictor.joint(architectures) for predictor in predictors]

    @property
    def num_outputs(self) -> int:
        return len(self._joint)

    def posterior(self, X: Tensor, *_: Any, **__: Any) -> GPyTorchPosterior:  # type: ignore[override]
        """Return the joint distribution at `batch x q x 1` places, outputs being independent."""
        rows = X[..., 0].long()
        normals = [
            MultivariateNormal(mean[rows], covariance[rows[..., :, None], rows[..., None, :]])
            for mean, covariance in self._joint
        ]
        return GPyTorchPosterior(MultitaskMultivariateNormal.from_independent_mvns(normals))
