"""NAS-Bench-201: a cell of six edges, each carrying one of five operations (Dong & Yang 2020)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.cost import nasbench201_cost
from diffusionnag.spaces.search_space import SearchSpace

EDGE_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
SOURCES = ((0,), (0, 1), (0, 1, 2))
"""The feature maps that each of the maps 1, 2, 3 receives: the order of the benchmark's string."""


class NASBench201(SearchSpace):
    """The 15,625 cells of NAS-Bench-201 with the edges' operations as nodes.

    Node `i>j` is the operation between feature maps i and j; it feeds each node `j>k`.
    Strings are the benchmark's: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.
    """

    name = "nasbench201"
    nodes = ("input", "0>1", "0>2", "1>2", "0>3", "1>3", "2>3", "output")
    operations = ("input", *EDGE_OPERATIONS, "output")
    edges = (
        *((0, 1), (0, 2), (0, 4)),
        *((1, 3), (1, 5), (2, 6), (3, 6)),
        *((4, 7), (5, 7), (6, 7)),
    )
    blocking_operations = ("none",)

    def choices(self, node: int) -> Sequence[str]:
        """Return the end's own operation at either end, else the five operations of an edge."""
        return {0: ("input",), 7: ("output",)}.get(node, EDGE_OPERATIONS)

    def format(self, architecture: Architecture) -> str:
        """Return the benchmark's string of a cell."""
        operations = iter(self.operation_names(architecture)[1:-1])
        parts = ("".join(f"|{next(operations)}~{source}" for source in row) for row in SOURCES)
        return "+".join(f"{part}|" for part in parts)

    def parse(self, text: str) -> Architecture:
        """Return the cell of a benchmark string; raises DiffusionNAGError for any other string."""
        parts = text.split("+")
        if len(parts) != len(SOURCES):
            raise self.malformed(text, f"3 parts joined by '+' are expected, not {len(parts)}")
        operations: list[str] = []
        for part, row in zip(parts, SOURCES, strict=True):
            pattern = "".join(rf"\|([^|~]+)~{source}" for source in row) + r"\|"
            match = re.fullmatch(pattern, part)
            if match is None:
                expected = "".join(f"|op~{source}" for source in row) + "|"
                raise self.malformed(text, f"{part!r} should read {expected!r}")
            operations.extend(match.groups())
        return self.build(["input", *operations, "output"], text)

    def analytic_properties(self, architecture: Architecture) -> dict[str, float]:
        """Return parameters and multiply-adds in millions (16 channels, 5 cells a stage, 32x32)."""
        cost = nasbench201_cost(self.operation_names(architecture)[1:-1])
        return {"params": cost.parameters / 1e6, "macs": cost.macs / 1e6}
