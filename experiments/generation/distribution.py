"""Does the generator follow its space? Uniqueness, novelty and operation frequencies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffusionnag.generation.generator import Generator
from diffusionnag.generation.metrics import generation_quality, operation_counts
from diffusionnag.generation.sampling import Sampling
from experiments.result_table import ResultTable
from experiments.statistics import mean_and_std

SPACE = "nasbench201"
SAMPLES = 1_000
SEEDS = (0, 1, 2)
FREQUENCY_SAMPLES = 10_000


def distribution(report: Callable[[str], None]) -> ResultTable:
    """Return how NAS-Bench-201 samples compare with uniform draws from the space."""
    from scipy.stats import chisquare

    generator = Generator.from_pretrained(SPACE)
    space, training_set = generator.search_space, generator.training_set
    rows = []
    makers = {
        "generated": lambda count, seed: generator.draw(count, sampling=Sampling(seed=seed)),
        "uniform draws": lambda count, seed: space.sample(count, seed),
    }
    for name, make in makers.items():
        report(f"{name}: {len(SEEDS)} x {SAMPLES} samples")
        runs = [generation_quality(space, make(SAMPLES, seed), training_set) for seed in SEEDS]
        uniqueness = mean_and_std([run.uniqueness for run in runs])
        novelty = mean_and_std([run.novelty for run in runs])
        report(f"{name}: {FREQUENCY_SAMPLES} samples for the frequencies")
        counts = operation_counts(space, make(FREQUENCY_SAMPLES, 0))
        free = np.flatnonzero(space.allowed.sum(1) > 1)
        tests = {space.nodes[i]: chisquare(counts[i][space.allowed[i]]).pvalue for i in free}
        lowest = min(tests, key=lambda node: tests[node])
        rows.append((name, uniqueness, novelty, f"{tests[lowest]:.3f} (node {lowest})"))
    size = space.size
    expected = 100 * size * (1 - (1 - 1 / size) ** SAMPLES) / SAMPLES
    rows.append(("uniform, expected", f"{expected:.2f}", "50.00", "-"))
    return ResultTable(
        title="Distribution of generated NAS-Bench-201 cells",
        columns=("", "uniqueness %", "novelty %", "lowest chi-square p of 6 nodes"),
        rows=tuple(rows),
        notes=(
            f"Uniqueness and novelty: {SAMPLES:,} samples, mean and std over seeds {SEEDS}; the "
            "generator learnt from a random half of the space.",
            f"Chi-square: operation frequencies of {FREQUENCY_SAMPLES:,} samples against uniform.",
        ),
    )
