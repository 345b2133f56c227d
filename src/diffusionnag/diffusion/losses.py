"""What a denoiser is trained to minimise."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.spaces import Architecture, SearchSpace

LOG_SIGMA_MEAN = -0.5
LOG_SIGMA_STD = 1.0
"""Log-normal noise levels: most lie where the operation of a node is neither plain nor hopeless."""
LARGEST_BROKEN_SIGMA = 0.5
"""Above this noise a broken architecture cannot be told from a valid one, so none is shown."""


def denoising_loss(
    denoiser: Denoiser, space: SearchSpace, operations: Tensor, broken_share: float
) -> Tensor:
    """Return the cross-entropy of D(x, sigma) against the clean operations (`batch x N` indices).

    The first `broken_share` of the batch have one operation replaced such that the architecture is
    invalid, while the target stays: a slip of the solver is then led back to a valid architecture.
    """
    batch = len(operations)
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(batch)).exp()
    sigma = sigma.clamp(*_sigma_range(denoiser))
    shown = operations.clone()
    rows = break_operations(space, operations[: int(batch * broken_share)])
    for row, broken in rows.items():
        shown[row] = broken
    indices = torch.tensor(list(rows), dtype=torch.long)
    low = math.log(_sigma_range(denoiser)[0])
    high = math.log(LARGEST_BROKEN_SIGMA)
    sigma[indices] = torch.exp(low + (high - low) * torch.rand(len(indices)))
    clean = functional.one_hot(shown, len(space.operations)).float()
    x = clean + sigma[:, None, None] * torch.randn_like(clean)
    logits = denoiser.logits(x, sigma)
    return functional.cross_entropy(logits.flatten(0, 1), operations.flatten())


def break_operations(space: SearchSpace, operations: Tensor) -> dict[int, Tensor]:
    """Return invalid versions of some rows of `batch x N` indices: row number -> N indices.

    Each row gets one operation at random; those that happen to stay valid are left out.
    """
    count, nodes = operations.shape
    changed = operations.clone()
    node = torch.randint(nodes, (count,))
    changed[torch.arange(count), node] = torch.randint(len(space.operations), (count,))
    rows = (Architecture(tuple(row), space.edges) for row in changed.tolist())
    return {row: changed[row] for row, broken in enumerate(rows) if not space.is_valid(broken)}


def score_matching_loss(denoiser: Denoiser, space: SearchSpace, operations: Tensor) -> Tensor:
    """Return denoising score matching with weight std(t)^2 and uniform t (paper, Eq. 3).

    `operations` holds `batch x N` indices; with that weight the target is the noise itself.
    """
    sde = denoiser.sde
    time = sde.final_time + (1 - sde.final_time) * torch.rand(len(operations))
    clean = functional.one_hot(operations, len(space.operations)).float()
    noise = torch.randn_like(clean)
    sigma = sde.sigma(time)
    found = denoiser.noise(clean + sigma[:, None, None] * noise, sigma)
    return functional.mse_loss(found, noise)


def _sigma_range(denoiser: Denoiser) -> tuple[float, float]:
    ends = denoiser.sde.sigma(torch.tensor([denoiser.sde.final_time, 1.0]))
    return float(ends[0]), float(ends[1])
