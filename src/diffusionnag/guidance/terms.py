"""Guidance terms: log-likelihoods of architectures that add and scale like numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.guidance.together import evaluated_together
from diffusionnag.spaces import Architecture, SearchSpace

CEILING_SHARPNESS = 8.0
"""How sharply the reward ends at a ceiling, per unit of log-likelihood over guidance scale."""


class Guidance(ABC):
    """Anything that says how likely architectures are to have what is asked for.

    Guidances add and subtract, and a number scales them: `3 * maximize(accuracy) - maximize(size)`.
    A subclass of your own needs `log_likelihood` only.
    """

    @abstractmethod
    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return log p(y | A_t) up to a constant, `batch`, differentiable with respect to x.

        `x` is x_0 + sigma * noise (`batch x N x F`), `sigma` its noise level (`batch`), and
        `clean` the denoiser's estimate D(x, sigma) of x_0, itself a function of x.
        """

    def leaves(self) -> tuple[Guidance, ...]:
        """Return the terms that it is put together from, itself if it is a single one."""
        return (self,)

    def of_rows(self, rows: Tensor) -> Guidance:
        """Return the guidance of the rows of a batch that `rows` (`batch` bool) picks out.

        It is the same one, unless each row is asked for something of its own.
        """
        return self

    def __add__(self, other: object) -> Guidance:
        """Ask for both."""
        if not isinstance(other, Guidance):
            return NotImplemented
        return Sum((self, other))

    def __radd__(self, other: object) -> Guidance:
        """Ask for this alone after 0, with which `sum` begins."""
        return self if other == 0 else NotImplemented

    def __neg__(self) -> Guidance:
        """Ask for the opposite."""
        return -1 * self

    def __sub__(self, other: Any) -> Guidance:
        """Ask for this, and for the opposite of the other."""
        return self + -other

    def __rsub__(self, other: Any) -> Guidance:
        """Ask for the other, and for the opposite of this."""
        return other + -self

    def __mul__(self, weight: float) -> Guidance:
        """Ask `weight` times as strongly."""
        return Scaled(self, float(weight))

    __rmul__ = __mul__


@dataclass(frozen=True)
class Sum(Guidance):
    """Several guidances at once: their log-likelihoods add."""

    terms: tuple[Guidance, ...]

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return the sum over all terms, `batch`."""
        total = torch.zeros(len(x), device=x.device, dtype=x.dtype)
        with evaluated_together():
            for term in self.terms:
                total = total + term.log_likelihood(x, sigma, clean)
        return total

    def leaves(self) -> tuple[Guidance, ...]:
        """Return the leaves of all terms."""
        return tuple(leaf for term in self.terms for leaf in term.leaves())

    def of_rows(self, rows: Tensor) -> Guidance:
        """Return the sum of the terms of these rows."""
        return Sum(tuple(term.of_rows(rows) for term in self.terms))


@dataclass(frozen=True)
class Scaled(Guidance):
    """A guidance times a number."""

    guidance: Guidance
    weight: float

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return `weight` times the guidance's log-likelihood, `batch`."""
        return self.weight * self.guidance.log_likelihood(x, sigma, clean)

    def leaves(self) -> tuple[Guidance, ...]:
        """Return the leaves of what is scaled."""
        return self.guidance.leaves()

    def of_rows(self, rows: Tensor) -> Guidance:
        """Return the scaled guidance of these rows."""
        return replace(self, guidance=self.guidance.of_rows(rows))


@dataclass(frozen=True, eq=False)
class RowWeights(Guidance):
    """A guidance with a weight for each row of a batch, `batch`: each is asked for differently."""

    guidance: Guidance
    weights: Tensor

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return each row's weight times its log-likelihood, `batch`."""
        return self.weights.to(x) * self.guidance.log_likelihood(x, sigma, clean)

    def leaves(self) -> tuple[Guidance, ...]:
        """Return the leaves of what is weighted."""
        return self.guidance.leaves()

    def of_rows(self, rows: Tensor) -> Guidance:
        """Return the guidance of these rows with their own weights."""
        weights = self.weights[rows.to(self.weights.device)]
        return RowWeights(self.guidance.of_rows(rows), weights)


@dataclass(frozen=True)
class Ceiling(Guidance):
    """A guidance whose reward ends at `level`: all architectures above are about equally likely.

    `unit` is the log-likelihood within which the reward fades out, divided by 8.
    """

    guidance: Guidance
    level: float
    unit: float

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        """Return the smooth minimum of the guidance's log-likelihood and the level, `batch`."""
        free = self.guidance.log_likelihood(x, sigma, clean)
        sharpness = CEILING_SHARPNESS / self.unit
        return self.level - functional.softplus(sharpness * (self.level - free)) / sharpness

    def leaves(self) -> tuple[Guidance, ...]:
        """Return the leaves of what has the ceiling."""
        return self.guidance.leaves()

    def of_rows(self, rows: Tensor) -> Guidance:
        """Return the guidance of these rows, below the same ceiling."""
        return replace(self, guidance=self.guidance.of_rows(rows))


def merit(
    guidance: Guidance, space: SearchSpace, architectures: Sequence[Architecture]
) -> np.ndarray:
    """Return the log-likelihood of noiseless architectures under a guidance, `batch` float64."""
    return merit_of_one_hot(guidance, space.encode(architectures))


def merit_of_one_hot(guidance: Guidance, one_hot: np.ndarray) -> np.ndarray:
    """Return the same of architectures given as one-hot rows, `batch x N x F`."""
    x = torch.from_numpy(one_hot)
    with torch.no_grad():
        return guidance.log_likelihood(x, torch.zeros(len(x)), x).double().numpy()
