"""The parts that all networks of a space share: channels, strides, gates, stem and head."""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """A run of layers of one width; the first layer has the stride."""

    channels: int
    stride: int
    gated: bool = False
    hard_swish: bool = False


IMAGE_CHANNELS = 3
SQUEEZE_REDUCTION = 4
"""Channels of a layer for one channel between the two layers of its squeeze-and-excitation gate."""
DIVISOR = 8

CELL_STAGE_STRIDES = (1, 2, 2)
CELL_KERNELS = {
    "none": 0,
    "skip_connect": 0,
    "nor_conv_1x1": 1,
    "nor_conv_3x3": 3,
    "avg_pool_3x3": 0,
}

MOBILENETV3_STEM = 16
MOBILENETV3_STAGES = (
    Stage(24, 2),
    Stage(40, 2, gated=True),
    Stage(80, 2, hard_swish=True),
    Stage(112, 1, gated=True, hard_swish=True),
    Stage(160, 2, gated=True, hard_swish=True),
)
MOBILENETV3_EXPANDED = 960
MOBILENETV3_MIXED = 1280

MNASNET_STEM = 32
MNASNET_STAGES = (
    Stage(16, 1),
    Stage(24, 2),
    Stage(40, 2),
    Stage(80, 2),
    Stage(112, 1),
    Stage(192, 2),
    Stage(320, 1),
)
MNASNET_HEAD = 1280


def divisible(channels: float) -> int:
    """Round to a multiple of eight without losing more than a tenth, as MobileNets do."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded + DIVISOR if rounded < 0.9 * channels else rounded
