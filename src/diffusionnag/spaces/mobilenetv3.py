"""MobileNetV3 of Once-for-All: five stages of two to four inverted residual layers (Cai et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import mobilenetv3_cost
from diffusionnag.spaces.search_space import SearchSpace

STAGES = 5
SLOTS = 4
MINIMUM_DEPTH = 2
ABSENT = "none"
LAYERS = tuple(f"{kernel}-{expand}" for kernel in (3, 5, 7) for expand in (3, 4, 6))


class MobileNetV3(SearchSpace):
    """About 2e19 networks: twenty layer slots, each `kernel-expand` or, at a stage's end, `none`.

    Strings join the slots of a stage by `,` and the stages by `|`: `7-6,5-4,none,none|...`.
    """

    name = "mobilenetv3"
    nodes = tuple(f"stage{s}.layer{i}" for s in range(1, STAGES + 1) for i in range(1, SLOTS + 1))
    operations = (*LAYERS, ABSENT)
    edges = tuple((i, i + 1) for i in range(STAGES * SLOTS - 1))

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

    def format(self, architecture: Architecture) -> str:
        """Return the string of a network, as in the tables of measured latencies."""
        names = self.operation_names(architecture)
        stages = (names[start : start + SLOTS] for start in range(0, len(names), SLOTS))
        return "|".join(",".join(stage) for stage in stages)

    def parse(self, text: str) -> Architecture:
        """Return the network of a string; raises DiffusionNAGError for any other string."""
        stages = [stage.split(",") for stage in text.split("|")]
        if len(stages) != STAGES:
            raise self.malformed(text, f"{STAGES} stages joined by '|' expected, not {len(stages)}")
        for number, stage in enumerate(stages, start=1):
            if len(stage) != SLOTS:
                raise self.malformed(
                    text, f"stage {number} has {len(stage)} slots joined by ',', not {SLOTS}"
                )
        return self.build([layer for stage in stages for layer in stage], text)

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

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters and multiply-adds in millions (width 1.0, 224x224, 1,000 classes)."""
        cost = mobilenetv3_cost(self.stages(architecture))
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}

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
