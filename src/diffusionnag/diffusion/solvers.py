"""Solvers of the reverse process: each walks from noise to an architecture through a denoiser.

A solver is a plain function `(denoise, x, sde, times, randn) -> x_0` in which `denoise(x, sigma)`
estimates x_0 from x = x_0 + sigma * noise, `x` is a draw from the prior (`batch x N x F`), `times`
descends from 1 (steps + 1 values), and `randn(x)` draws standard normal noise shaped like x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.diffusion.sde import SDE
from diffusionnag.errors import DiffusionNAGError

Denoise = Callable[[Tensor, Tensor], Tensor]
"""D(x, sigma): the estimate of x_0, `batch x N x F`, from x = x_0 + sigma * noise."""
Randn = Callable[[Tensor], Tensor]
SolverFunction = Callable[[Denoise, Tensor, SDE, Tensor, Randn], Tensor]

MIDDLE_SIGMA = 0.5
"""Noise about which most operations are decided."""
DECIDED_SIGMA = 0.4
"""Noise below which the operation of a node is all but decided, one-hot vectors being sqrt(2) apart."""
UNDECIDED_SIGMA = 0.12
"""Noise below which no operation changes any more, whatever guides: the vectors lie 12 deviations apart."""
SMALLEST_PROBABILITY = 1e-7
LANGEVIN_SNR = 0.16
"""Signal-to-noise ratio of the corrector's steps, as published for NAS-Bench-201."""


def denoise_at(denoise: Denoise, x: Tensor, sde: SDE, t: Tensor) -> Tensor:
    """Return the estimate of x_0 from x_t, `batch x N x F`."""
    return denoise(x / sde.scale(t), sde.sigma(t))


def score_at(denoise: Denoise, x: Tensor, sde: SDE, t: Tensor) -> Tensor:
    """Return the score of x_t by Tweedie's formula: (scale D - x) / std^2, `batch x N x F`."""
    return (sde.scale(t) * denoise_at(denoise, x, sde, t) - x) / sde.std(t) ** 2


def euler_maruyama(denoise: Denoise, x: Tensor, sde: SDE, times: Tensor, randn: Randn) -> Tensor:
    """Simulate the reverse SDE (paper, Eq. 2) by Euler-Maruyama, then denoise."""
    for t, s in pairwise(times):
        dt, g = t - s, sde.diffusion(t)
        drift = sde.drift(x, t) - g**2 * score_at(denoise, x, sde, t)
        x = x - drift * dt + g * dt.sqrt() * randn(x)
    return denoise_at(denoise, x, sde, times[-1])


def _reverse_step(
    denoise: Denoise, x: Tensor, sde: SDE, t: Tensor, s: Tensor, randn: Randn
) -> Tensor:
    change, noise = sde.discretise(x, t, t - s)
    return x - change + noise**2 * score_at(denoise, x, sde, t) + noise * randn(x)


def reverse_diffusion(denoise: Denoise, x: Tensor, sde: SDE, times: Tensor, randn: Randn) -> Tensor:
    """Reverse the forward process's own discrete steps (Song et al. 2021, app. E), then denoise."""
    for t, s in pairwise(times):
        x = _reverse_step(denoise, x, sde, t, s, randn)
    return denoise_at(denoise, x, sde, times[-1])


def predictor_corrector(
    denoise: Denoise, x: Tensor, sde: SDE, times: Tensor, randn: Randn
) -> Tensor:
    """Follow each reverse diffusion step by one Langevin step (Song et al. 2021, algorithm 4)."""
    for t, s in pairwise(times):
        x = _reverse_step(denoise, x, sde, t, s, randn)
        score, noise = score_at(denoise, x, sde, s), randn(x)
        ratio = noise.flatten(1).norm(dim=1).mean() / score.flatten(1).norm(dim=1).mean()
        decay = (sde.scale(t) / sde.scale(s)) ** 2  # 1 - beta dt for VP and sub-VP, 1 for VE
        step = 2 * decay * (LANGEVIN_SNR * ratio) ** 2
        x = x + step * score + torch.sqrt(2 * step) * noise
    return denoise_at(denoise, x, sde, times[-1])


def ancestral(denoise: Denoise, x: Tensor, sde: SDE, times: Tensor, randn: Randn) -> Tensor:
    """Draw each step from the Gaussian posterior given the denoised estimate (Ho et al. 2020)."""
    sigmas = sde.sigma(times)
    x = x / sde.scale(times[0])
    for sigma, target in pairwise(sigmas):
        kept = (target / sigma) ** 2
        estimate = denoise(x, sigma)
        x = estimate + kept * (x - estimate) + target * torch.sqrt(1 - kept) * randn(x)
    return denoise(x, sigmas[-1])


def categorical(denoise: Denoise, x: Tensor, sde: SDE, times: Tensor, randn: Randn) -> Tensor:
    """Draw each step from the posterior given operations that are drawn from the estimate.

    For x_0 is an operation, not a mean of operations: long steps to the mean favour what is
    likelier already. Once little noise is left the operations are decided, and the mean serves.
    """
    sigmas = sde.sigma(times)
    x = x / sde.scale(times[0])
    for sigma, target in pairwise(sigmas):
        kept = (target / sigma) ** 2
        estimate = denoise(x, sigma)
        if sigma > DECIDED_SIGMA:
            # What is positive, the probabilities where nothing guides, gives way to a draw by it.
            estimate = estimate + _drawn(estimate, randn) - estimate.clamp(min=0)
        x = estimate + kept * (x - estimate) + target * torch.sqrt(1 - kept) * randn(x)
    return denoise(x, sigmas[-1])


def _drawn(estimate: Tensor, randn: Randn) -> Tensor:
    """Return one operation a node, one-hot, drawn by the probabilities in an estimate of x_0."""
    probabilities = estimate.clamp(min=SMALLEST_PROBABILITY)
    uniform = torch.special.ndtr(randn(estimate)).clamp(SMALLEST_PROBABILITY, 1 - 1e-6)
    # The smallest of exponential waiting times belongs to each with its probability.
    waiting = -torch.log(uniform) / probabilities
    return functional.one_hot(waiting.argmin(-1), estimate.shape[-1]).to(estimate)


def heun(denoise: Denoise, x: Tensor, sde: SDE, times: Tensor, randn: Randn) -> Tensor:
    """Solve the probability-flow ODE by Heun's second-order rule (Karras et al. 2022, alg. 1)."""
    sigmas = sde.sigma(times)
    x = x / sde.scale(times[0])
    for sigma, target in pairwise(sigmas):
        slope = (x - denoise(x, sigma)) / sigma
        predicted = x + (target - sigma) * slope
        slope_there = (predicted - denoise(predicted, target)) / target
        x = x + (target - sigma) * 0.5 * (slope + slope_there)
    return denoise(x, sigmas[-1])


def dpm_solver(denoise: Denoise, x: Tensor, sde: SDE, times: Tensor, randn: Randn) -> Tensor:
    """Solve the probability-flow ODE by DPM-Solver++(2M) (Lu et al. 2022, algorithm 2)."""
    sigmas = sde.sigma(times)
    x = x / sde.scale(times[0])
    previous: Tensor | None = None
    previous_length = torch.zeros(())
    for sigma, target in pairwise(sigmas):
        length = torch.log(sigma / target)
        estimate = denoise(x, sigma)
        extrapolated = estimate
        if previous is not None:
            extrapolated = estimate + 0.5 * length / previous_length * (estimate - previous)
        x = target / sigma * x + (1 - target / sigma) * extrapolated
        previous, previous_length = estimate, length
    return denoise(x, sigmas[-1])


@dataclass(frozen=True)
class Solver:
    """A solver function with the number of steps and the spacing of times that suit it."""

    solve: SolverFunction
    steps: int
    spacing: str


SOLVERS: dict[str, Solver] = {
    "euler_maruyama": Solver(euler_maruyama, 1000, "uniform"),
    "reverse_diffusion": Solver(reverse_diffusion, 1000, "uniform"),
    "predictor_corrector": Solver(predictor_corrector, 1000, "uniform"),
    "ancestral": Solver(ancestral, 16, "karras"),
    "categorical": Solver(categorical, 8, "decisions"),
    "heun": Solver(heun, 12, "karras"),
    "dpm_solver": Solver(dpm_solver, 16, "karras"),
}
"""Solvers by name, with the steps and spacing that suit each."""


def get_solver(name: str) -> Solver:
    """Return a solver by name; raises DiffusionNAGError for an unknown one."""
    if name not in SOLVERS:
        raise DiffusionNAGError(f"no solver named {name!r}; known: {', '.join(SOLVERS)}")
    return SOLVERS[name]


def time_grid(sde: SDE, steps: int, spacing: str, device: torch.device | str = "cpu") -> Tensor:
    """Return steps + 1 descending times from 1 to the final time, on `device`.

    `uniform` spaces the times evenly (paper); `karras` spaces sigma^(1/7) evenly, which puts more
    steps where the operations are decided (Karras et al. 2022, Eq. 5); `undecided` does so down to a
    sigma of 0.12, and takes one step for all below; `decisions` puts still more where operations are
    decided: sigma^2 / (sigma^2 + 1/4) is spaced evenly, so that half of the steps lie below 1/2.
    """
    ends = torch.tensor([1.0, sde.final_time], dtype=torch.float64)
    high, low = sde.sigma(ends)
    ramp = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    if spacing == "uniform":
        times = ends[0] + ramp * (ends[1] - ends[0])
    elif spacing == "karras":
        times = sde.time(_karras(high, low, steps))
    elif spacing == "undecided":
        sigmas = _karras(high, low.clamp(min=UNDECIDED_SIGMA), steps - 1)
        times = torch.cat([sde.time(sigmas), ends[1:]])
    else:
        most, least = (sigma**2 / (sigma**2 + MIDDLE_SIGMA**2) for sigma in (high, low))
        share = most + ramp * (least - most)
        times = sde.time(MIDDLE_SIGMA * torch.sqrt(share / (1 - share)))
    return times.float().to(device)


def _karras(high: Tensor, low: Tensor, steps: int) -> Tensor:
    """Return steps + 1 sigmas from high to low whose seventh roots lie evenly."""
    ramp = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return (high ** (1 / 7) + ramp * (low ** (1 / 7) - high ** (1 / 7))) ** 7
