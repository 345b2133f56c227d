"""In-painting: nodes whose operations are known, and the rest generated to go with them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from diffusionnag.diffusion.solvers import Denoise


def inpainting(denoise: Denoise, known: Mapping[int, int]) -> Denoise:
    """Return a denoiser that is certain of some nodes: operation by node, as numbers.

    Whatever solver asks it walks these nodes to their operations, at each noise level as noisy as
    the others, so that the network sees what the others have to go with (Song et al. 2021,
    "Score-based generative modeling through stochastic differential equations", section 5).
    """
    nodes, operations = list(known), list(known.values())

    def denoise_rest(x: Tensor, sigma: Tensor) -> Tensor:
        clean = denoise(x, sigma).clone()
        clean[:, nodes] = torch.eye(x.shape[2], dtype=x.dtype, device=x.device)[operations]
        return clean

    return denoise_rest
