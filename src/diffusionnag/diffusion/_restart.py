"""Restarting what ends undecided: a little noise, and the last steps once more."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from diffusionnag.diffusion.sde import SDE
from diffusionnag.diffusion.solvers import Denoise, Randn, ancestral, time_grid

RESTART_SIGMA = 0.6
"""Noise that lets a neighbouring operation be chosen, and the rest of an architecture stand."""
RESTARTS = 3
STEPS = 10
"""Ancestral steps of the whole way, of which half lie below that noise."""
DECIDED = 0.8
"""Probability above which an operation stands; what breaks a rule was seen to hold less of one."""

DenoiseRows = Callable[[Tensor], Denoise]
"""From rows of a batch (`batch` bool) to their denoiser: under guidance it may be their own."""


def restart_undecided(
    denoise_rows: DenoiseRows, estimate: Tensor, sde: SDE, randn: Randn
) -> Tensor:
    """Return estimates of x_0, `batch x N x F`, those between operations at a node walked anew.

    Where two slots contradict each other a denoiser of operation probabilities may end in the
    middle, no operation above four fifths. Such an architecture is noised to `RESTART_SIGMA` and
    denoised again, at most three times (Xu et al. 2023, "Restart sampling"). No rule of the space
    is looked at.
    """
    times = time_grid(sde, STEPS, "undecided", estimate.device)
    times = times[sde.sigma(times) <= RESTART_SIGMA]
    for _ in range(RESTARTS):
        undecided = (estimate.amax(-1) <= DECIDED).any(-1)
        if len(times) < 2 or not undecided.any():
            break
        x = estimate[undecided]
        x = sde.scale(times[0]) * (x + sde.sigma(times[0]) * randn(x))
        estimate = estimate.clone()
        estimate[undecided] = ancestral(denoise_rows(undecided), x, sde, times, randn)
    return estimate
