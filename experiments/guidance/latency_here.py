"""Limits on the latency of this very machine: do networks generated under one truly keep it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from diffusionnag.generation.generator import Generator
from diffusionnag.guidance import limit, maximize
from diffusionnag.networks import LatencySettings, ProfileSettings, latency_name, profile_space
from diffusionnag.networks.profiling import MEASURED, REFERENCE, measure_beside_reference
from diffusionnag.predictors import PropertyPredictor, fit_judged, held_out_parts
from diffusionnag.spaces import Architecture
from diffusionnag.tables import clean_measurements
from experiments.measured_data import required_table
from experiments.result_table import ResultTable

KEPT = Path("runs") / "latency-here"
"""The profile, so that the experiment can be stopped and go on."""
PROFILED = 200
GENERATED = 50
QUANTILE = 1 / 3
"""The limit: the latency that so large a share of the random cells keeps."""
TOLERANCE = 1.1
PROBABILITIES = (0.5, 0.9)
FOLDS, REPEATS = 5, 30


def latency_here(report: Callable[[str], None]) -> ResultTable:
    """Return which share of cells keeps a limit, measured, when they were generated to keep it."""
    generator = Generator.from_pretrained("nasbench201")
    space = generator.search_space
    column = latency_name("here")
    settings = ProfileSettings(LatencySettings(repeats=REPEATS), space.networks.task)
    table = profile_space(
        space,
        column,
        PROFILED,
        KEPT,
        settings,
        report=lambda done, total: report(f"random cell {done} of {total}"),
    )
    measured = clean_measurements(table, space, column)
    parts = held_out_parts(len(measured.values), FOLDS, seed=0)
    latency, _ = fit_judged(space, column, measured, parts)
    at_most = float(np.quantile(measured.values, QUANTILE))
    reference = table.column(REFERENCE)
    truth = required_table("nasbench201", "nasbench201_accuracy")

    def row(
        label: str, cells: Sequence[Architecture], steady: np.ndarray, raw: np.ndarray
    ) -> tuple[str, ...]:
        strings = [space.format(cell) for cell in cells]
        accuracy = truth.lookup("cifar10_test_200ep", strings).mean()
        shares = [
            100 * np.mean(milliseconds <= bound)
            for milliseconds, bound in (
                (steady, at_most),
                (steady, TOLERANCE * at_most),
                (raw, TOLERANCE * at_most),
            )
        ]
        return (
            label,
            str(len(cells)),
            f"{np.median(steady):.2f}",
            f"{steady.max():.2f}",
            *(f"{share:.0f}" for share in shares),
            f"{accuracy:.2f}",
        )

    rows = [row("random", measured.architectures, measured.values, table.column(MEASURED))]
    accuracy = PropertyPredictor.from_pretrained("nasbench201-cifar10")
    for probability in PROBABILITIES:
        guide = maximize(accuracy) + limit(latency, at_most=at_most, probability=probability)
        cells = generator.sample(GENERATED, guide=guide, distinct=True).architectures
        pairs = []
        for number, cell in enumerate(cells):
            report(f"probability {probability:g}: generated cell {number} of {len(cells)}")
            pairs.append(measure_beside_reference(space, cell, settings))
        own, beside = np.array(pairs).T
        label = f"guided, probability {probability:g}"
        rows.append(row(label, cells, own * np.median(reference) / beside, own))
    lower, middle, upper = np.quantile(reference, (0.25, 0.5, 0.75))
    quality = ", ".join(f"{name} {value:.3g}" for name, value in latency.about.quality.items())
    return ResultTable(
        title="Latency limits of this machine, measured on what was generated to keep them",
        columns=(
            "cells",
            "number",
            "median, ms",
            "largest, ms",
            "keep it, %",
            "within 10 %, %",
            "within 10 % as measured, %",
            "mean CIFAR-10 accuracy, %",
        ),
        rows=tuple(rows),
        notes=(
            f"The limit is {at_most:.2f} ms, which a third of the {PROFILED} random cells keeps that "
            f"the predictor learnt from. Batch of one, PyTorch, one thread; medians of {REPEATS} runs.",
            "Each cell is run in turn with a reference network, and its latency is that at the "
            "reference's median speed; the column `as measured` is without this. The reference took "
            f"{middle:.2f} ms, in the middle half of its {len(reference)} measurements {lower:.2f} to "
            f"{upper:.2f} ms.",
            f"The predictor: {quality}.",
        ),
    )
