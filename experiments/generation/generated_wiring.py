"""Generators of operations and wiring together: validity before repair, and their distribution."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from diffusionnag.diffusion.training_set import whole_space
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.metrics import (
    count_operations,
    generation_quality,
    operation_counts,
)
from diffusionnag.generation.sampling import Sampling
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.spaces.constrained_decoding import mend_invalid
from experiments.result_table import ResultTable

CASES = (("nasbench_graph", 16), ("nasbench_graph", 48), ("nasbench101", 16), ("darts", 16))
"""Spaces whose generators are shipped, and the solver steps."""
SAMPLES = 10_000
FEWEST_EXPECTED = 5
"""Kinds that fewer are expected of say nothing in a chi-square test."""


def wiring(report: Callable[[str], None]) -> ResultTable:
    """Return validity, uniqueness and frequencies of spaces whose wiring varies."""
    rows = []
    for name, steps in CASES:
        report(f"{name}, {steps} steps: {SAMPLES} samples")
        generator = Generator.from_pretrained(name)
        space = generator.search_space
        drawn, mended = draw_and_mend(generator, steps)
        quality = generation_quality(space, drawn, generator.training_set)
        valid = [architecture for architecture in drawn if space.is_valid(architecture)]
        after = 100 * (len(valid) + len(mended)) / SAMPLES
        met = -math.expm1(SAMPLES * math.log1p(-1 / space.size))
        expected = 100 * space.size / SAMPLES * met
        everything = whole_space(space, np.random.default_rng(0))
        rows.append(
            (
                *(name, str(steps), f"{quality.validity:.2f}", f"{after:.2f}"),
                *(f"{quality.uniqueness:.2f}", f"{expected:.2f}", f"{quality.novelty:.2f}"),
                f"{_p_of_wirings(space, valid, everything):.2g}",
                _p_of_operations(space, valid, everything),
            )
        )
    return ResultTable(
        title=f"{SAMPLES:,} samples where the wiring is generated as well",
        columns=(
            *("space", "steps", "validity %", "after mending %", "uniqueness %"),
            *("uniform draws, expected %", "novelty %", "p of wirings", "lowest p of operations"),
        ),
        rows=tuple(rows),
        notes=(
            "Shipped generators, unguided, seed 0. Validity is that of the network itself; mending "
            "takes the likeliest valid architecture under its probabilities. Isomorphic "
            "architectures count as one.",
            "p: chi-square of the frequencies against those of the whole space (of darts, 500,000 "
            "uniform draws); of numbers of edges where there are too many wirings to count each.",
        ),
    )


def draw_and_mend(
    generator: Generator, steps: int | None = None
) -> tuple[list[Architecture], list[Architecture]]:
    """Return 10,000 samples as the network makes them, and what stands in for the invalid ones."""
    space = generator.search_space
    drawn: list[Architecture] = []
    mended: list[Architecture] = []
    for estimate in generator.estimates(sampling=Sampling(steps=steps)):
        architectures = space.decode(estimate)[: SAMPLES - len(drawn)]
        mended += mend_invalid(space, architectures, estimate[: len(architectures)])
        drawn += architectures
        if len(drawn) == SAMPLES:
            break
    return drawn, mended


def _p_of_wirings(
    space: SearchSpace, drawn: Sequence[Architecture], everything: np.ndarray
) -> float:
    from scipy.stats import chisquare

    present = space.wiring.presence(everything)
    shown = space.wiring.presence(np.array([architecture.operations for architecture in drawn]))
    expected, counted = Counter(map(bytes, present)), Counter(map(bytes, shown))
    if len(expected) * FEWEST_EXPECTED > len(drawn):
        expected, counted = Counter(present.sum(1).tolist()), Counter(shown.sum(1).tolist())
    fewest = FEWEST_EXPECTED * len(everything) / len(drawn)
    kept = [kind for kind, count in expected.items() if count >= fewest]
    counts = np.array([counted[kind] for kind in kept])
    shares = np.array([expected[kind] for kind in kept])
    return float(chisquare(counts, shares / shares.sum() * counts.sum()).pvalue)


def _p_of_operations(
    space: SearchSpace, drawn: Sequence[Architecture], everything: np.ndarray
) -> str:
    from scipy.stats import chisquare

    counts = operation_counts(space, drawn)
    p_values: dict[str, float] = {}
    whole_counts = count_operations(everything, len(space.operations))
    for node, (name, whole) in enumerate(zip(space.nodes, whole_counts, strict=True)):
        if node in space.wiring.nodes or (whole > 0).sum() == 1:
            continue
        kept = whole > 0
        expected = whole[kept] / whole.sum() * len(drawn)
        p_values[name] = float(chisquare(counts[node][kept], expected).pvalue)
    lowest = min(p_values, key=lambda name: p_values[name])
    return f"{p_values[lowest]:.2g} ({lowest})"
