"""GPT-2 shapes as in HW-GPT-Bench: width, bias, and each layer's heads and ratio (Sukthanker et al. 2024)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from diffusionnag.spaces._pasted import without_whitespace
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import WEIGHTS_ONLY, Cost
from diffusionnag.spaces.network_family import NetworkFamily
from diffusionnag.spaces.network_tasks import LanguageModelling
from diffusionnag.spaces.search_space import SearchSpace

if TYPE_CHECKING:
    from torch import nn

BIAS = ("no_bias", "bias")
ABSENT = "none"
RATIOS = (2, 3, 4)
"""Widths of a feed-forward part, as multiples of the embedding's."""
HEAD_SIZE = 64
"""What all heads have, in every width: attention may be wider than the embedding."""
BEFORE_LAYERS = 2
"""The nodes of width and bias."""
VOCABULARY, CONTEXT = 50_254, 1_024


@dataclass(frozen=True)
class GPT2Scale:
    """What a family of shapes chooses from; `depths` are the fewest and the most layers."""

    widths: tuple[int, ...]
    heads: tuple[int, ...]
    depths: tuple[int, int]

    @property
    def layers(self) -> tuple[str, ...]:
        """What a layer may be, `heads-ratio`."""
        return tuple(f"{heads}-{ratio}" for heads in self.heads for ratio in RATIOS)


class Shape(NamedTuple):
    """One network: its width, whether its layers have biases, and the heads and ratio of each."""

    width: int
    bias: bool
    layers: tuple[tuple[int, int], ...]


class GPT2Shapes(SearchSpace):
    """Width, bias or none, and a heads-ratio pair for each layer; absent layers are the last ones.

    Strings are the table's: `768|bias|12-4,8-2,...`. Each scale is a space of its own:
    `class Wide(GPT2Shapes, scale=GPT2Scale((1024, 2048), (16, 32), (12, 16))): name = "wide"`.
    """

    scale: ClassVar[GPT2Scale]
    networks = NetworkFamily(LanguageModelling(VOCABULARY, CONTEXT))

    def __init_subclass__(cls, scale: GPT2Scale | None = None, **keywords: Any) -> None:
        """Derive nodes, operations and edges from the scale, where there is a new one."""
        super().__init_subclass__(**keywords)
        if scale is None:
            return
        most = scale.depths[1]
        cls.scale = scale
        cls.nodes = ("width", "bias", *(f"layer{number}" for number in range(1, most + 1)))
        cls.operations = (*map(str, scale.widths), *BIAS, *scale.layers, ABSENT)
        cls.edges = tuple((i, i + 1) for i in range(len(cls.nodes) - 1))

    def choices(self, node: int) -> Sequence[str]:
        """Return the widths, bias or none, the layers, and `none` where a layer may be absent."""
        if node < BEFORE_LAYERS:
            return BIAS if node else tuple(map(str, self.scale.widths))
        layers = self.scale.layers
        return layers if node - BEFORE_LAYERS < self.scale.depths[0] else (*layers, ABSENT)

    def rule(self, operations: Sequence[str]) -> str | None:
        """Forbid a layer behind an absent one."""
        for node in range(BEFORE_LAYERS + 1, len(operations)):
            if operations[node - 1] == ABSENT and operations[node] != ABSENT:
                return f"{self.nodes[node]} follows an absent layer"
        return None

    def obeys_rule(self, operations: np.ndarray) -> np.ndarray:
        """Return which rows have no layer behind an absent one, `batch` bool."""
        absent = operations[:, BEFORE_LAYERS:] == self.operations.index(ABSENT)
        return ~(absent[:, :-1] & ~absent[:, 1:]).any(1)

    def format(self, architecture: Architecture) -> str:
        """Return the string of a shape, as in the table of HW-GPT-Bench."""
        width, bias, *layers = self.operation_names(architecture)
        return f"{width}|{bias}|" + ",".join(layer for layer in layers if layer != ABSENT)

    def parse(self, text: str) -> Architecture:
        """Return the shape of a string; raises DiffusionNAGError for any other string."""
        parts = without_whitespace(text).split("|")
        if len(parts) != BEFORE_LAYERS + 1:
            raise self.malformed(
                text, f"width, bias and layers joined by '|' expected, not {len(parts)} parts"
            )
        layers = parts.pop().split(",")
        fewest, most = self.scale.depths
        if not fewest <= len(layers) <= most or ABSENT in layers:
            raise self.malformed(
                text, f"{len(layers)} layers joined by ',', not {fewest} to {most}"
            )
        return self.build([*parts, *layers, *[ABSENT] * (most - len(layers))], text)

    @cached_property
    def size(self) -> int:
        """The exact number of shapes."""
        fewest, most = self.scale.depths
        stacks = sum(len(self.scale.layers) ** depth for depth in range(fewest, most + 1))
        return len(self.scale.widths) * len(BIAS) * stacks

    def sample_operations(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw width, bias, depth and each layer uniformly, as the benchmark does, `count x N`."""
        fewest, most = self.scale.depths
        depths = rng.integers(fewest, most + 1, size=(count, 1))
        drawn = self._combine_at_random(count, rng)
        layers = rng.integers(len(self.scale.layers), size=(count, most))
        layers += self.operations.index(self.scale.layers[0])
        absent = self.operations.index(ABSENT)
        drawn[:, BEFORE_LAYERS:] = np.where(np.arange(most) < depths, layers, absent)
        return drawn

    def interactions(self) -> tuple[tuple[int, ...], ...]:
        """Return each layer together with width and bias, which decide what it costs."""
        return tuple((0, 1, node) for node in range(BEFORE_LAYERS, len(self.nodes)))

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters, and multiply-adds for one text of 1,024 tokens, in millions."""
        cost = gpt2_cost(self.shape(architecture))
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}

    def build_network(self, architecture: Architecture, task: LanguageModelling) -> nn.Module:
        """Return the language model of a shape, for the task's vocabulary."""
        from diffusionnag.spaces.gpt2_networks import LanguageModel

        width, bias, layers = self.shape(architecture)
        return LanguageModel(width, layers, bias=bias, vocabulary=task.vocabulary)

    def shape(self, architecture: Architecture) -> Shape:
        """Return the numbers that an architecture stands for."""
        width, bias, *layers = self.operation_names(architecture)
        pairs = (layer.split("-") for layer in layers if layer != ABSENT)
        return Shape(int(width), bias == "bias", tuple((int(h), int(r)) for h, r in pairs))


class GPT2(GPT2Shapes, scale=GPT2Scale((192, 384, 768), (4, 8, 12), (10, 12))):
    """About 2e12 shapes of 25 to 176 M parameters: 10 to 12 layers."""

    name = "gpt2"


class GPT2Medium(GPT2Shapes, scale=GPT2Scale((256, 512, 1024), (8, 12, 16), (22, 24))):
    """HW-GPT-Bench's medium scale: 22 to 24 layers."""

    name = "gpt2_medium"


class GPT2Large(GPT2Shapes, scale=GPT2Scale((320, 640, 1280), (8, 16, 20), (34, 36))):
    """HW-GPT-Bench's large scale: 34 to 36 layers."""

    name = "gpt2_large"


def gpt2_cost(shape: Shape, *, vocabulary: int = VOCABULARY, context: int = CONTEXT) -> Cost:
    """Return the cost of a shape for one text of `context` tokens.

    The benchmark counts gated feed-forward parts of three matrices, an output layer that shares
    nothing with the embedding, and of the MACs those of linear layers alone: not the products
    between tokens. Its parameters are these for all of its 10,000 rows, its MACs eight times these,
    for eight texts.
    """
    width, bias, layers = shape
    norm = Cost(2 * width)
    cost = norm + Cost(vocabulary * width)
    token = WEIGHTS_ONLY.linear(width, vocabulary, bias=False)
    for heads, ratio in layers:
        cost += norm + norm
        token += _layer_cost(width, heads, ratio, bias)
    return cost + Cost(token.parameters, token.macs * context)


@functools.cache
def _layer_cost(width: int, heads: int, ratio: int, bias: bool) -> Cost:
    """Return the cost of the linear layers of one layer for one token."""
    attention, hidden = heads * HEAD_SIZE, ratio * width
    return (
        WEIGHTS_ONLY.linear(width, 3 * attention, bias=bias)
        + WEIGHTS_ONLY.linear(attention, width, bias=bias)
        + WEIGHTS_ONLY.linear(width, 2 * hidden, bias=bias)
        + WEIGHTS_ONLY.linear(hidden, width, bias=bias)
    )
