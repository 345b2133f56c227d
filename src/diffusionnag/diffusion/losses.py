"""What a denoiser is trained to minimise."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.spaces import SearchSpace

LOG_SIGMA_MEAN = -0.5
LOG_SIGMA_STD = 1.0
"""Log-normal noise levels: most lie where the operation of a node is neither plain nor hopeless."""
LARGEST_BROKEN_SIGMA = 0.5
"""Above this noise a broken architecture cannot be told from a valid one, so none is shown."""


def denoising_loss(
    denoiser: Denoiser, space: SearchSpace, operations: Tensor, broken_share: float
) -> Tensor:
    """Return the cross-entropy of D(x, sigma) against the clean operations (`batch x N` indices).

    Of the first `broken_share` of the batch, those are broken by one operation that thereby become
    invalid, while the target stays: a slip of the solver is then led back to a valid architecture.
    """
    batch = len(operations)
    sigma = (LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(batch)).exp()
    sigma = sigma.clamp(*_sigma_range(denoiser))
    shown = operations.clone()
    rows = break_operations(space, operations[: math.ceil(batch * broken_share)])
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

    At one node each row gets the operation of another row; those that stay valid are left out. So
    what is broken differs from the data in combination only, not in how frequent operations are,
    and mending it favours none.
    """
    count, nodes = operations.shape
    rows, node = torch.arange(count), torch.randint(nodes, (count,))
    changed = operations.clone()
    changed[rows, node] = operations[torch.randint(count, (count,)), node]
    candidates = space.architectures(changed.cpu().numpy())
    return {row: changed[row] for row, one in enumerate(candidates) if not space.is_valid(one)}


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
