"""What a denoiser is trained to minimise."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.diffusion._broken import Broken
from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.spaces import SearchSpace

LOG_SIGMA_MEAN = -0.5
LOG_SIGMA_STD = 1.0
"""Log-normal noise levels: most lie where the operation of a node is neither plain nor hopeless."""
LARGEST_BROKEN_SIGMA = 0.5
"""Above this noise a broken architecture cannot be told from a valid one, so none is shown."""


def denoising_loss(
    denoiser: Denoiser, space: SearchSpace, operations: Tensor, broken: Broken, broken_share: float
) -> Tensor:
    """Return the cross-entropy of D(x, sigma) against the clean operations (`batch x N` indices).

    In place of the first `broken_share` of the batch broken architectures are shown, at low noise;
    what they were is the target: a slip of the solver is then led back to a valid architecture.
    """
    batch = len(operations)
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(batch)).exp()
    sigma = sigma.clamp(*_sigma_range(denoiser))
    shown, whole = broken.draw(math.ceil(batch * broken_share))
    replaced = len(shown)
    shown = torch.cat([shown, operations[replaced:]])
    operations = torch.cat([whole, operations[replaced:]])
    low = math.log(_sigma_range(denoiser)[0])
    high = math.log(LARGEST_BROKEN_SIGMA)
    sigma[:replaced] = torch.exp(low + (high - low) * torch.rand(replaced))
    clean = functional.one_hot(shown, len(space.operations)).float()
    x = clean + sigma[:, None, None] * torch.randn_like(clean)
    logits = denoiser.logits(x, sigma)
    return functional.cross_entropy(logits.flatten(0, 1), operations.flatten())


def score_matching_loss(denoiser: Denoiser, space: SearchSpace, operations: Tensor) -> Tensor:
    """Return denoising score matching with weight std(t)^2 and uniform t (paper, Eq. 3).

    `operations` holds `batch x N` indices; with that weight the target is the noise itself.
    """
    sde = denoiser.sde
    time = sde.final_time + (1 - sde.final_time) * torch.rand(len(operations))
    clean = functional.one_hot(operations, len(space.operations)).float()
    noise = torch.randn_like(clean)
    sigma = sde.sigma(time)
    predicted = denoiser.noise(clean + sigma[:, None, None] * noise, sigma)
    return functional.mse_loss(predicted, noise)


def _sigma_range(denoiser: Denoiser) -> tuple[float, float]:
    ends = denoiser.sde.sigma(torch.tensor([denoiser.sde.final_time, 1.0]))
    return float(ends[0]), float(ends[1])
