"""MobileNetV3 of Once-for-All: five stages of two to four inverted residual layers (Cai et al. 2020)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces._pasted import pasted_object, whole_numbers, without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import (
    WEIGHTS_ONLY,
    Cost,
    InvertedResidualShape,
    peak_memory,
    strided,
)
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import IMAGE_CHANNELS, ImageClassification
from diffusionnag.spaces.search_space import SearchSpace
from diffusionnag.spaces.shared_blocks import block_names

if TYPE_CHECKING:
    from torch import nn

STAGES = 5
SLOTS = 4
MINIMUM_DEPTH = 2
ABSENT = "none"
LAYERS = tuple(f"{kernel}-{expand}" for kernel in (3, 5, 7) for expand in (3, 4, 6))
LARGEST_KERNEL, LARGEST_EXPANSION = "7", "6"

Layers = Sequence[tuple[int, float]]
"""The kernel size and the expansion of each layer of a stage."""


class Stage(NamedTuple):
    """A run of layers of one width; the first layer has the stride."""

    channels: int
    stride: int
    gated: bool = False
    hard_swish: bool = False


RESOLUTION = 224
STEM = 16
STAGE_SHAPES = (
    Stage(24, 2),
    Stage(40, 2, gated=True),
    Stage(80, 2, hard_swish=True),
    Stage(112, 1, gated=True, hard_swish=True),
    Stage(160, 2, gated=True, hard_swish=True),
)
EXPANDED, MIXED = 960, 1280
"""Channels behind the last stage, before and after they are averaged over all positions."""
SQUEEZE_REDUCTION = 4
DIVISOR = 8
DROPOUT = 0.1


class MobileNetV3(SearchSpace):
    """About 2e19 networks: twenty layer slots, each `kernel-expand` or, at a stage's end, `none`.

    Strings join the slots of a stage by `,` and the stages by `|`: `7-6,5-4,none,none|...`;
    configurations of Once-for-All are read too: `{"ks": [...], "e": [...], "d": [...]}`.
    """

    name = "mobilenetv3"
    nodes = tuple(f"stage{s}.layer{i}" for s in range(1, STAGES + 1) for i in range(1, SLOTS + 1))
    operations = (*LAYERS, ABSENT)
    edges = tuple((i, i + 1) for i in range(STAGES * SLOTS - 1))
    networks = NetworkFamily(ImageClassification(1000, RESOLUTION), smallest=32, widths=(1.0, 1.2))
    analytic_conditions = ("resolution",)
    elastic_kinds = ("kernel", "depth", "expansion")

    def choices(self, node: int) -> Sequence[str]:
        """Return the nine layers, and `none` from a stage's third slot on."""
        return LAYERS if node % SLOTS < MINIMUM_DEPTH else self.operations

    def rule(self, operations: Sequence[str]) -> str | None:
        """Forbid a layer behind an absent one in the same stage."""
        for node in range(1, len(operations)):
            behind_absent = operations[node - 1] == ABSENT and operations[node] != ABSENT
            if node % SLOTS and behind_absent:
                return f"{self.nodes[node]} follows an absent layer of its stage"
        return None

    def obeys_rule(self, operations: np.ndarray) -> np.ndarray:
        """Return which rows have no layer behind an absent one, `batch` bool."""
        absent = (operations == self.operations.index(ABSENT)).reshape(-1, STAGES, SLOTS)
        return ~(absent[:, :, :-1] & ~absent[:, :, 1:]).any((1, 2))

    def format(self, architecture: Architecture) -> str:
        """Return the string of a network, as in the tables of measured latencies."""
        names = self.operation_names(architecture)
        stages = (names[start : start + SLOTS] for start in range(0, len(names), SLOTS))
        return "|".join(",".join(stage) for stage in stages)

    def parse(self, text: str) -> Architecture:
        """Return the network of a string, or of a configuration of Once-for-All as JSON.

        That is `{"ks": [...], "e": [...], "d": [...]}`: kernel and expansion of each of twenty slots,
        and the depth of each stage. White space means nothing. Raises DiffusionNAGError for any
        other string.
        """
        configuration = pasted_object(text)
        if configuration is not None:
            return self._configured(configuration, text)
        stages = [stage.split(",") for stage in without_whitespace(text).split("|")]
        if len(stages) != STAGES:
            raise self.malformed(text, f"{STAGES} stages joined by '|' expected, not {len(stages)}")
        for number, stage in enumerate(stages, start=1):
            if len(stage) != SLOTS:
                raise self.malformed(
                    text, f"stage {number} has {len(stage)} slots joined by ',', not {SLOTS}"
                )
        return self.build([layer for stage in stages for layer in stage], text)

    def _configured(self, configuration: Mapping[str, Any], text: str) -> Architecture:
        slots = STAGES * SLOTS
        kernels = whole_numbers(configuration.get("ks"), slots)
        expansions = whole_numbers(configuration.get("e"), slots)
        depths = whole_numbers(configuration.get("d"), STAGES)
        if kernels is None or expansions is None or depths is None:
            raise self.malformed(
                text, f"`ks` and `e` should be {slots} whole numbers, and `d` {STAGES}"
            )
        if not all(MINIMUM_DEPTH <= depth <= SLOTS for depth in depths):
            raise self.malformed(text, f"each depth in `d` should be {MINIMUM_DEPTH} to {SLOTS}")
        layers = [
            f"{kernel}-{expansion}" for kernel, expansion in zip(kernels, expansions, strict=True)
        ]
        present = [slot < depth for depth in depths for slot in range(SLOTS)]
        chosen = zip(layers, present, strict=True)
        return self.build([layer if there else ABSENT for layer, there in chosen], text)

    def positions(self) -> tuple[int, ...]:
        """Return positions that restart in each stage, as published."""
        return tuple(range(SLOTS)) * STAGES

    @cached_property
    def size(self) -> int:
        """The exact number of networks, (9^2 + 9^3 + 9^4)^5."""
        depths = range(MINIMUM_DEPTH, SLOTS + 1)
        return sum(len(LAYERS) ** depth for depth in depths) ** STAGES

    def sample_operations(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw each stage's depth and each layer uniformly, as Once-for-All does, `count x N`.

        Every depth is equally likely, so a shallow network is likelier than a given deep one.
        """
        layers = rng.integers(len(LAYERS), size=(count, STAGES, SLOTS))
        depths = rng.integers(MINIMUM_DEPTH, SLOTS + 1, size=(count, STAGES, 1))
        drawn = np.where(np.arange(SLOTS) < depths, layers, self.operations.index(ABSENT))
        return drawn.reshape(count, STAGES * SLOTS)

    def under(self, **conditions: float) -> Self:
        """Return this space with properties under these conditions, such as `resolution=192`.

        Raises DiffusionNAGError for a resolution that is no whole number of at least 32 pixels.
        """
        resolution = conditions.get("resolution", RESOLUTION)
        if resolution != int(resolution) or resolution < self.networks.smallest:
            raise DiffusionNAGError(
                f"a resolution of {resolution:g} is none of {self.name}: whole pixels, at least "
                f"{self.networks.smallest}"
            )
        return super().under(**conditions)

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters, multiply-adds and peak memory in millions (width 1.0, 1,000 classes).

        The resolution is 224 unless `under` has set another. The peak memory is in numbers, of
        activations and of one convolution's weights (see `mobilenetv3_peak_memory`).
        """
        stages = self.stages(architecture)
        resolution = int(self.conditions.get("resolution", RESOLUTION))
        cost = mobilenetv3_cost(stages, resolution=resolution)
        peak = mobilenetv3_peak_memory(stages, resolution=resolution)
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6, "peak_memory": peak / 1e6}

    def stages(self, architecture: Architecture) -> list[list[tuple[int, int]]]:
        """Return the (kernel, expand) pairs of the layers that are present, stage by stage."""
        names = self.operation_names(architecture)
        return [
            [
                (int(layer[0]), int(layer[2]))
                for layer in names[start : start + SLOTS]
                if layer != ABSENT
            ]
            for start in range(0, len(names), SLOTS)
        ]

    def build_network(self, architecture: Architecture, task: ImageClassification) -> nn.Module:
        """Return the sub-network of Once-for-All's network, built alone."""
        from torch import nn

        from diffusionnag.spaces.layers import GlobalPool, InvertedResidual, convolution_norm

        stem, expanded, mixed = _fixed_channels(task.width)
        layers: list[nn.Module] = [
            convolution_norm(IMAGE_CHANNELS, stem, 3, stride=2, activation=nn.Hardswish)
        ]
        last = stem
        for shape, hard_swish in _blocks(self.stages(architecture), task.width):
            activation = nn.Hardswish if hard_swish else nn.ReLU
            layers.append(InvertedResidual(shape, activation, gate=nn.Hardsigmoid))
            last = shape.outputs
        return nn.Sequential(
            *layers,
            convolution_norm(last, expanded, 1, activation=nn.Hardswish),
            GlobalPool(),
            nn.Linear(expanded, mixed, bias=False),
            nn.Hardswish(),
            nn.Dropout(DROPOUT),
            nn.Linear(mixed, task.outputs),
        )

    def shared_names(self, architecture: Architecture, names: Sequence[str]) -> list[str]:
        """Return names that say of which layer slot a tensor is, as in Once-for-All."""
        operations = self.operation_names(architecture)
        slots = ["first"]
        slots += [
            slot for slot, layer in zip(self.nodes, operations, strict=True) if layer != ABSENT
        ]
        shapes = [shape for shape, _ in _blocks(self.stages(architecture), 1.0)]
        return block_names(names, list(zip(slots, shapes, strict=True)))

    def extremes(self) -> tuple[Architecture, ...]:
        """Return the network of all layers at their largest, and the one of the fewest and smallest."""
        smallest = ",".join(["3-3"] * MINIMUM_DEPTH + [ABSENT] * (SLOTS - MINIMUM_DEPTH))
        return (
            self.build([f"{LARGEST_KERNEL}-{LARGEST_EXPANSION}"] * STAGES * SLOTS),
            self.parse("|".join([smallest] * STAGES)),
        )

    def enlarged(self, architecture: Architecture, elastic: Collection[str]) -> Architecture:
        """Return a network with its largest choices, but for those of `elastic` kinds.

        A layer that may not be absent is like the one before it.
        """
        layers: list[str] = []
        for layer in self.operation_names(architecture):
            if layer == ABSENT and "depth" not in elastic:
                layer = layers[-1]
            if layer != ABSENT:
                kernel, expansion = layer.split("-")
                kernel = kernel if "kernel" in elastic else LARGEST_KERNEL
                expansion = expansion if "expansion" in elastic else LARGEST_EXPANSION
                layer = f"{kernel}-{expansion}"
            layers.append(layer)
        return self.build(layers)


def mobilenetv3_cost(
    stages: Sequence[Layers], *, resolution: int = 224, width: float = 1.0, classes: int = 1000
) -> Cost:
    """Return the cost of a sub-network of the Once-for-All MobileNetV3 `ofa_mbv3_d234_e346_k357`.

    The MACs are those of convolutions and linear layers, gates included; bias, batch norm, pooling
    and activations are free. Both counts are exactly those of the networks that the authors'
    package `ofa` builds. For the layers of MobileNetV3-Large they are 5.482 M parameters, 1,280
    fewer than in torchvision, where one more layer has a bias, and 216.6 M MACs, where Howard et
    al. (2019) publish 219 M.
    """
    stem, expanded, mixed = _fixed_channels(width)
    last, size = stem, strided(resolution, 2)
    cost = WEIGHTS_ONLY.convolution(IMAGE_CHANNELS, stem, 3, size)
    for shape, _ in _blocks(stages, width):
        cost += WEIGHTS_ONLY.inverted_residual(shape, size)
        last, size = shape.outputs, strided(size, shape.stride)
    cost += WEIGHTS_ONLY.convolution(last, expanded, 1, size)
    cost += WEIGHTS_ONLY.global_pool(expanded, size)
    return (
        cost
        + WEIGHTS_ONLY.linear(expanded, mixed, bias=False)
        + WEIGHTS_ONLY.linear(mixed, classes)
    )


def mobilenetv3_peak_memory(
    stages: Sequence[Layers], *, resolution: int = 224, width: float = 1.0
) -> int:
    """Return the most numbers that a sub-network holds in memory at once, for one image.

    The layers outside of its blocks take less. Equal to the last digit to what memory-optimized
    Once-for-All lists for 2,610 sub-networks.
    """
    size, peaks = strided(resolution, 2), []
    for shape, _ in _blocks(stages, width):
        peaks.append(peak_memory(shape, size))
        size = strided(size, shape.stride)
    return max(peaks)


def _fixed_channels(width: float) -> tuple[int, int, int]:
    stem, expanded, mixed = (divisible(channels * width) for channels in (STEM, EXPANDED, MIXED))
    return stem, expanded, mixed


def _blocks(stages: Sequence[Layers], width: float) -> Iterator[tuple[InvertedResidualShape, bool]]:
    """Yield each block's shape, and whether its activation is hard-swish; the first is the stem's."""
    channels = divisible(STEM * width)
    yield InvertedResidualShape(channels, channels, channels, kernel=3), False
    for stage, layers in zip(STAGE_SHAPES, stages, strict=True):
        outputs, stride = divisible(stage.channels * width), stage.stride
        for kernel, expansion in layers:
            hidden = divisible(round(channels * expansion))
            squeezed = divisible(hidden // SQUEEZE_REDUCTION) if stage.gated else 0
            shape = InvertedResidualShape(channels, hidden, outputs, kernel, stride, squeezed)
            yield shape, stage.hard_swish
            channels, stride = outputs, 1


@cache
def divisible(channels: float) -> int:
    """Round to a multiple of eight without losing more than a tenth, as MobileNets do."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded + DIVISOR if rounded < 0.9 * channels else rounded
