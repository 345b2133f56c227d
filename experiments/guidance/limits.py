"""Hard limits against measured latencies: are they kept, and what do they cost?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from diffusionnag.generation.generator import Generator
from diffusionnag.guidance import limit, maximize
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.spaces import Architecture
from experiments.measured_data import (
    NASBENCH201_DATASETS,
    Truth,
    labelled_predictor,
    required_table,
)
from experiments.result_table import ResultTable

DATASET = "CIFAR-100"
DEVICES = ("pixel2", "gold_6226", "titan_rtx_256", "fpga", "eyeriss")
LABELLED = 1_562
SAMPLES = 500
QUANTILE = 0.3
"""The limit: the latency that so large a share of the space keeps."""
PROBABILITIES = (0.5, 0.6, 0.9)
"""With which each generated cell keeps the limit as predicted."""


def limits(report: Callable[[str], None]) -> ResultTable:
    """Return the best true accuracy under a latency limit on five devices, and who keeps it."""
    generator = Generator.from_pretrained("nasbench201")
    space = generator.search_space
    accuracies = required_table("nasbench201", "nasbench201_accuracy")
    latencies = required_table("nasbench201", "nasbench201_latency_ms")
    truth = Truth.of(accuracies, NASBENCH201_DATASETS[DATASET])
    report("fitting the accuracy predictor")
    accuracy = labelled_predictor(space, truth, LABELLED, seed=0)
    everything = list(space.enumerate())
    true_accuracy = truth.values(space, everything)
    predicted = accuracy.normal_score(everything)
    number = {cell: row for row, cell in enumerate(everything)}
    rows = []
    shares: dict[float, list[float]] = {probability: [] for probability in PROBABILITIES}
    for device in DEVICES:
        name = f"latency:{device}"
        latency = PropertyPredictor.from_pretrained(name, search_space=space)
        true_latency = latencies.lookup(name, [space.format(cell) for cell in everything])
        at_most = float(np.quantile(true_latency, QUANTILE))
        keeps = true_latency <= at_most
        optimum = true_accuracy[keeps].max()

        def add(
            label: str,
            cells: Sequence[Architecture],
            *,
            device: str = device,
            at_most: float = at_most,
            keeps: np.ndarray = keeps,
            optimum: float = optimum,
        ) -> float:
            chosen = np.array([number[cell] for cell in cells])
            kept = chosen[keeps[chosen]]
            best = true_accuracy[kept].max() if len(kept) else np.nan
            share = float(100 * keeps[chosen].mean())
            rows.append(
                (
                    device,
                    f"{at_most:.3g}",
                    label,
                    f"{best:.2f}",
                    f"{optimum - best:.2f}",
                    f"{share:.1f}",
                )
            )
            return share

        rows.append((device, f"{at_most:.3g}", "true optimum", f"{optimum:.2f}", "0.00", "100"))
        add("random", space.sample(SAMPLES, 0))
        for probability in PROBABILITIES:
            report(f"{device}: guided within the limit, probability {probability}")
            bound = limit(latency, at_most=at_most, probability=probability)
            allowed = np.flatnonzero(bound.keeps(everything))
            order = allowed[np.argsort(-predicted[allowed], kind="stable")]
            add(
                f"whole space sorted, {probability:g}", [everything[row] for row in order[:SAMPLES]]
            )
            guide = maximize(accuracy) + bound
            samples = generator.sample(SAMPLES, guide=guide, distinct=True)
            shares[probability].append(add(f"guided, {probability:g}", samples.architectures))
    overall = ", ".join(f"{p:g}: {np.mean(share):.1f} %" for p, share in shares.items())
    return ResultTable(
        title=f"Best true {DATASET} accuracy within a measured latency",
        columns=(
            "device",
            "limit, ms",
            f"{SAMPLES} cells",
            "best, %",
            "to the optimum",
            "keep it %",
        ),
        rows=tuple(rows),
        notes=(
            f"The limit is the latency that {100 * QUANTILE:.0f} % of all cells keep. Generated and "
            "sorted cells keep it at least with the probability named, as predicted by the shipped "
            "latency predictors. Best: among the cells that truly keep it.",
            f"Share of all guided cells that truly keep their limit, by probability: {overall}.",
            f"Accuracy predictor: fitted on {LABELLED:,} cells (10 %). All {SAMPLES} generated "
            "cells are distinct.",
        ),
    )
