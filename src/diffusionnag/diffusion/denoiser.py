"""Denoisers: the score network put to use as D(x, sigma), the estimate of the clean architecture."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

import torch
from torch import Tensor, nn

from diffusionnag._devices import by_rows
from diffusionnag.diffusion.score_network import ScoreNetwork, ScoreNetworkConfig
from diffusionnag.diffusion.sde import SDE
from diffusionnag.spaces import SearchSpace

Parameterisation = Literal["probabilities", "score"]
"""What the network's outputs are: logits of operations, or the noise (paper)."""


class Denoiser(nn.Module):
    """D(x, sigma): the expected operations of each node, from x = x_0 + sigma * noise.

    With `probabilities` the network's outputs are logits, and D is their softmax at each node.
    With `score` the outputs are the noise in x_t, as in the paper's Eq. 3: score = -output / std.
    """

    logit_adjustment: Tensor
    """Added to the logits, `N x F`: 0 until it is calibrated, see `generation.calibration`."""

    def __init__(
        self,
        space: SearchSpace,
        sde: SDE,
        config: ScoreNetworkConfig,
        parameterisation: Parameterisation = "probabilities",
    ) -> None:
        super().__init__()
        self.sde = sde
        self.config = config
        self.parameterisation: Parameterisation = parameterisation
        self.network = ScoreNetwork(space, config)
        operations = len(space.operations)
        self.data_variance = (operations - 1) / operations**2
        self.register_buffer("logit_adjustment", torch.zeros(len(space.nodes), operations))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return D for x `batch x N x F` and sigma a scalar or `batch`; `batch x N x F`."""
        if sigma.numel() == len(x) > 1:
            return self._clean(x, sigma)
        # One level for all is embedded once, not `batch` times.
        return by_rows(lambda rows: self._clean(rows, sigma.reshape(1)), x)

    def _clean(self, x: Tensor, sigma: Tensor) -> Tensor:
        if self.parameterisation == "probabilities":
            return self.logits(x, sigma).softmax(-1)
        return x - sigma[:, None, None] * self.noise(x, sigma)

    def logits(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the unnormalised log-probability of every operation, `batch x N x F`."""
        input_scale = torch.rsqrt(self.data_variance + sigma**2)[:, None, None]
        return self.network(input_scale * x, self.sde.time(sigma)) + self.logit_adjustment

    def noise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the noise that the network finds in x_t = scale * x, `batch x N x F`."""
        time = self.sde.time(sigma)
        return self.network(self.sde.scale(time)[:, None, None] * x, time)

    def to_config(self) -> dict[str, object]:
        """Return what is needed to build this denoiser again, apart from its weights."""
        return {
            "parameterisation": self.parameterisation,
            "sde": self.sde.to_config(),
            "network": asdict(self.config),
        }
