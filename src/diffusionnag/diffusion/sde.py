"""Forward processes: how noise is added to an architecture, in continuous time t from 0 to 1.

Every process here has the marginal x_t = scale(t) * (x_0 + sigma(t) * noise). A denoiser needs only
x_t / scale(t) and sigma(t), so one denoiser serves all processes and all solvers.
Source: Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations".
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError


class SDE(ABC):
    """A forward process dx = f(x, t) dt + g(t) dw (paper, Eq. 1); times are tensors in [0, 1]."""

    kind: ClassVar[str]
    final_time: ClassVar[float]
    """The time at which simulating the reverse process ends, just short of 0."""

    @abstractmethod
    def scale(self, t: Tensor) -> Tensor:
        """Return the factor on x_0 in the mean of x_t."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """Return the noise level relative to the scale: std(t) / scale(t)."""

    @abstractmethod
    def time(self, sigma: Tensor) -> Tensor:
        """Return the time at which the noise level is `sigma`, the inverse of `sigma(t)`."""

    @abstractmethod
    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        """Return f(x, t) for x of shape `batch x N x F`."""

    @abstractmethod
    def diffusion(self, t: Tensor) -> Tensor:
        """Return g(t)."""

    def std(self, t: Tensor) -> Tensor:
        """Return the standard deviation of x_t given x_0."""
        return self.scale(t) * self.sigma(t)

    def prior_std(self) -> float:
        """Return the standard deviation of the prior, from which the reverse process starts."""
        return float(self.std(torch.ones(())))

    def discretise(self, x: Tensor, t: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean change and noise factor of one forward step of length dt > 0 that ends at t."""
        return self.drift(x, t) * dt, self.diffusion(t) * dt.sqrt()

    def to_config(self) -> dict[str, Any]:
        """Return the process as plain JSON values, the inverse of `sde_from_config`."""
        assert dataclasses.is_dataclass(self)
        return {"kind": self.kind, **dataclasses.asdict(self)}


@dataclass(frozen=True)
class VESDE(SDE):
    """Variance exploding: sigma(t) = sigma_min (sigma_max / sigma_min)^t, scale 1."""

    kind: ClassVar[str] = "ve"
    final_time: ClassVar[float] = 1e-5
    sigma_min: float = 0.1
    sigma_max: float = 5.0

    @property
    def _log_ratio(self) -> float:
        return math.log(self.sigma_max / self.sigma_min)

    def scale(self, t: Tensor) -> Tensor:
        """Return 1: the mean of x_t is x_0."""
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        """Return the geometric noise level."""
        return self.sigma_min * torch.exp(t * self._log_ratio)

    def time(self, sigma: Tensor) -> Tensor:
        """Return log(sigma / sigma_min) over the log of the whole range."""
        return torch.log(sigma / self.sigma_min) / self._log_ratio

    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        """Return zero: noise is added, the signal is kept."""
        return torch.zeros_like(x)

    def diffusion(self, t: Tensor) -> Tensor:
        """Return sigma(t) sqrt(2 log(sigma_max / sigma_min))."""
        return self.sigma(t) * math.sqrt(2 * self._log_ratio)

    def discretise(self, x: Tensor, t: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Return the exact step: the variance grows by sigma(t)^2 - sigma(t - dt)^2."""
        variance = self.sigma(t) ** 2 - self.sigma(t - dt) ** 2
        return torch.zeros_like(x), variance.sqrt()


@dataclass(frozen=True)
class VPSDE(SDE):
    """Variance preserving: beta(t) grows linearly, x_t ends as a standard normal."""

    kind: ClassVar[str] = "vp"
    final_time: ClassVar[float] = 1e-3
    beta_min: float = 0.1
    beta_max: float = 20.0

    def beta(self, t: Tensor) -> Tensor:
        """Return the rate at which the signal decays."""
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def beta_integral(self, t: Tensor) -> Tensor:
        """Return the integral of beta from 0 to t."""
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2

    def scale(self, t: Tensor) -> Tensor:
        """Return exp(-B(t) / 2), B being the integral of beta."""
        return torch.exp(-0.5 * self.beta_integral(t))

    def sigma(self, t: Tensor) -> Tensor:
        """Return sqrt(exp(B(t)) - 1)."""
        return torch.expm1(self.beta_integral(t)).sqrt()

    def time(self, sigma: Tensor) -> Tensor:
        """Return t with B(t) = log(1 + sigma^2)."""
        return self._time_of_integral(torch.log1p(sigma**2))

    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        """Return -beta(t) x / 2."""
        return -0.5 * self.beta(t) * x

    def diffusion(self, t: Tensor) -> Tensor:
        """Return sqrt(beta(t))."""
        return self.beta(t).sqrt()

    def discretise(self, x: Tensor, t: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Return the step of a discrete chain with variance beta(t) dt, as in DDPM."""
        step = (self.beta(t) * dt).clamp(max=1.0)
        return (torch.sqrt(1 - step) - 1) * x, step.sqrt()

    def _time_of_integral(self, integral: Tensor) -> Tensor:
        slope = self.beta_max - self.beta_min
        root = torch.sqrt(self.beta_min**2 + 2 * slope * integral)
        return 2 * integral / (self.beta_min + root)


@dataclass(frozen=True)
class SubVPSDE(VPSDE):
    """Sub-variance preserving: as VP, with a variance that stays below VP's."""

    kind: ClassVar[str] = "subvp"

    def sigma(self, t: Tensor) -> Tensor:
        """Return (1 - exp(-B(t))) / exp(-B(t) / 2) = 2 sinh(B(t) / 2)."""
        return 2 * torch.sinh(0.5 * self.beta_integral(t))

    def time(self, sigma: Tensor) -> Tensor:
        """Return t with B(t) = 2 asinh(sigma / 2)."""
        return self._time_of_integral(2 * torch.asinh(0.5 * sigma))

    def diffusion(self, t: Tensor) -> Tensor:
        """Return sqrt(beta(t) (1 - exp(-2 B(t))))."""
        return torch.sqrt(self.beta(t) * -torch.expm1(-2 * self.beta_integral(t)))

    def discretise(self, x: Tensor, t: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Return the Euler-Maruyama step: the process has no closed discrete chain."""
        return SDE.discretise(self, x, t, dt)


SDES: dict[str, type[VESDE | VPSDE | SubVPSDE]] = {
    sde.kind: sde for sde in (VESDE, VPSDE, SubVPSDE)
}


def sde_from_config(config: dict[str, Any]) -> SDE:
    """Return the process that `to_config` described; raises DiffusionNAGError for an unknown one."""
    settings = dict(config)
    kind = settings.pop("kind", None)
    if kind not in SDES:
        raise DiffusionNAGError(f"no SDE named {kind!r}; known: {', '.join(SDES)}")
    try:
        return SDES[kind](**settings)
    except TypeError as error:
        raise DiffusionNAGError(f"the settings of the {kind} SDE are wrong: {error}") from error
