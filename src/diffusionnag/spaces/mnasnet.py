"""MnasNet as in Accel-NASBench: seven blocks of four choices each (Ahmad et al. 2024)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import mnasnet_cost
from diffusionnag.spaces.search_space import SearchSpace

BLOCKS = 7
FOUR_LAYER_BLOCK = 5
"""The only block (counted from 0) that may have four layers."""
KINDS = {
    "expansion": ("e1", "e4", "e6"),
    "kernel": ("k3", "k5"),
    "layers": ("l1", "l2", "l3", "l4"),
    "squeeze_excite": ("s0", "s1"),
}


class MnasNet(SearchSpace):
    """About 1e11 networks: expansion, kernel, layers and squeeze-and-excitation of seven blocks.

    A node is one choice of one block, in that order. Strings join blocks by `|`: `e4k5l1s0|...`.
    """

    name = "mnasnet"
    nodes = tuple(f"block{block}.{kind}" for block in range(BLOCKS) for kind in KINDS)
    operations = tuple(operation for kind in KINDS.values() for operation in kind)
    edges = tuple((i, i + 1) for i in range(BLOCKS * len(KINDS) - 1))

    def choices(self, node: int) -> Sequence[str]:
        """Return the options of the node's kind of choice; `l4` in the sixth block alone."""
        block, kind = divmod(node, len(KINDS))
        options = list(KINDS.values())[kind]
        if options == KINDS["layers"] and block != FOUR_LAYER_BLOCK:
            return options[:-1]
        return options

    def format(self, architecture: Architecture) -> str:
        """Return the string of a network, as in the table of Accel-NASBench."""
        names = self.operation_names(architecture)
        width = len(KINDS)
        return "|".join(
            "".join(names[start : start + width]) for start in range(0, len(names), width)
        )

    def parse(self, text: str) -> Architecture:
        """Return the network of a string; raises DiffusionNAGError for any other string."""
        blocks = text.split("|")
        if len(blocks) != BLOCKS:
            raise self.malformed(text, f"{BLOCKS} blocks joined by '|' expected, not {len(blocks)}")
        operations: list[str] = []
        for number, block in enumerate(blocks):
            match = re.fullmatch(r"(e\d+)(k\d+)(l\d+)(s\d+)", block)
            if match is None:
                raise self.malformed(
                    text, f"block {number}, {block!r}, should read like 'e4k5l1s0'"
                )
            operations.extend(match.groups())
        return self.build(operations, text)

    def interactions(self) -> tuple[tuple[int, ...], ...]:
        """Return the four choices of each block: a block's cost is no sum over them."""
        width = len(KINDS)
        return tuple(tuple(range(b * width, (b + 1) * width)) for b in range(BLOCKS))

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters and multiply-adds in millions (224x224, 1,000 classes)."""
        cost = mnasnet_cost(self.blocks(architecture))
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}

    def blocks(self, architecture: Architecture) -> list[tuple[int, int, int, int]]:
        """Return (expansion, kernel, layers, squeeze-and-excitation) of each block."""
        numbers = [int(name[1:]) for name in self.operation_names(architecture)]
        quadruples = zip(*[iter(numbers)] * len(KINDS), strict=True)
        return [(e, k, layers, s) for e, k, layers, s in quadruples]
