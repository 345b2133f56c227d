"""Sub-networks of the Once-for-All MobileNetV3 (Cai et al. 2020), built alone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from diffusionnag.networks.layers import GlobalPool, InvertedResidual, convolution_norm
from diffusionnag.spaces.skeletons import (
    IMAGE_CHANNELS,
    MOBILENETV3_EXPANDED,
    MOBILENETV3_MIXED,
    MOBILENETV3_STAGES,
    MOBILENETV3_STEM,
    SQUEEZE_REDUCTION,
    divisible,
)

DROPOUT = 0.1


def mobilenetv3_network(
    stages: Sequence[Sequence[tuple[int, float]]], *, width: float = 1.0, classes: int = 1000
) -> nn.Sequential:
    """Return a network, from images `batch x 3 x H x W` to logits `batch x classes`.

    `stages` holds the (kernel size, expansion) of each layer of the five stages; `width` is a factor
    on all numbers of channels.
    """
    channels = divisible(MOBILENETV3_STEM * width)
    layers: list[nn.Module] = [
        convolution_norm(IMAGE_CHANNELS, channels, 3, stride=2, activation=nn.Hardswish),
        InvertedResidual(channels, channels, channels, 3),
    ]
    for stage, chosen in zip(MOBILENETV3_STAGES, stages, strict=True):
        outputs, stride = divisible(stage.channels * width), stage.stride
        for kernel, expansion in chosen:
            hidden = divisible(round(channels * expansion))
            layers.append(
                InvertedResidual(
                    channels,
                    hidden,
                    outputs,
                    kernel,
                    stride=stride,
                    squeezed=divisible(hidden // SQUEEZE_REDUCTION) if stage.gated else 0,
                    activation=nn.Hardswish if stage.hard_swish else nn.ReLU,
                    gate=nn.Hardsigmoid,
                )
            )
            channels, stride = outputs, 1
    expanded, mixed = divisible(MOBILENETV3_EXPANDED * width), divisible(MOBILENETV3_MIXED * width)
    return nn.Sequential(
        *layers,
        convolution_norm(channels, expanded, 1, activation=nn.Hardswish),
        GlobalPool(),
        nn.Linear(expanded, mixed, bias=False),
        nn.Hardswish(),
        nn.Dropout(DROPOUT),
        nn.Linear(mixed, classes),
    )
