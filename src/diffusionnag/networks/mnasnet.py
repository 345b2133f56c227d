"""Networks of the MnasNet space of Accel-NASBench (Ahmad et al. 2024; Tan et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from diffusionnag.networks.layers import GlobalPool, InvertedResidual, convolution_norm
from diffusionnag.spaces.skeletons import (
    IMAGE_CHANNELS,
    MNASNET_HEAD,
    MNASNET_STAGES,
    MNASNET_STEM,
    SQUEEZE_REDUCTION,
)

DROPOUT = 0.2


def mnasnet_network(
    blocks: Sequence[tuple[int, int, int, int]], *, classes: int = 1000
) -> nn.Sequential:
    """Return a network, from images `batch x 3 x H x W` to logits `batch x classes`.

    `blocks` holds (expansion, kernel size, layers, squeeze-and-excitation 0 or 1) of the seven
    blocks. Activations are ReLU, as in MnasNet; which ones Accel-NASBench trained with cannot be told
    from its table, whose counts leave them out.
    """
    channels = MNASNET_STEM
    layers: list[nn.Module] = [convolution_norm(IMAGE_CHANNELS, channels, 3, stride=2)]
    for stage, (expansion, kernel, repeats, gated) in zip(MNASNET_STAGES, blocks, strict=True):
        stride = stage.stride
        for _ in range(repeats):
            layers.append(
                InvertedResidual(
                    channels,
                    channels * expansion,
                    stage.channels,
                    kernel,
                    stride=stride,
                    squeezed=channels // SQUEEZE_REDUCTION if gated else 0,
                )
            )
            channels, stride = stage.channels, 1
    return nn.Sequential(
        *layers,
        convolution_norm(channels, MNASNET_HEAD, 1),
        GlobalPool(),
        nn.Dropout(DROPOUT),
        nn.Linear(MNASNET_HEAD, classes),
    )
