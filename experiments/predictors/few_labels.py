"""Which predictor ranks NAS-Bench-201 best when few cells are labelled, and how sure it may be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from diffusionnag._seeds import numpy_generator
from diffusionnag.predictors import (
    ModelKind,
    OneHot,
    ProcessOn,
    PropertyPredictor,
    RankGaussian,
    WeisfeilerLehman,
    prediction_quality,
    spearman,
)
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.tables import Table
from experiments.measured_data import required_table
from experiments.predictors.baseline_predictors import (
    BATCH_SIZE,
    MEMBERS,
    NodeTransformer,
    Ranker,
)
from experiments.result_table import ResultTable
from experiments.statistics import mean_and_std

SPACE = "nasbench201"
TABLE = "nasbench201_accuracy"
DATASETS = {
    "cifar10_test_200ep": "CIFAR-10",
    "cifar100_test_200ep": "CIFAR-100",
    "imagenet16_test_200ep": "ImageNet16-120",
}
LABELS = (50, 100, 200, 1_000)
SEEDS = tuple(range(10))
TIMED_AT = 200
TRANSFORMER_STEPS = 200
ENSEMBLE_STEPS = {50: 400, 100: 400, 200: 400, 1_000: 800}
"""The defaults, except for 1,000 labels: their 2,000 steps would take most of the experiment."""
COVERAGES = ("share within one standard deviation", "share within two standard deviations")


@dataclass(frozen=True)
class Cells:
    """All cells of a space with one measured value each: as one-hot `x`, and `values` `count`."""

    architectures: list[Architecture]
    x: Tensor
    values: np.ndarray


@dataclass(frozen=True)
class Ranking:
    """How well one fit ranked all cells, what its deviations covered, and its processor time."""

    spearman: float
    coverage: tuple[float, ...]
    seconds: float


def few_labels(report: Callable[[str], None]) -> ResultTable:
    """Return rank correlations of five predictors, each fitted on the same few labelled cells.

    Raises DiffusionNAGError where the measured accuracies are not installed.
    """
    space = get_search_space(SPACE)
    columns = _all_cells(space, required_table(SPACE, TABLE))
    rows, times = [], []
    models = _models(space)
    for labels in LABELS:
        for name, make in models.items():
            rankings: dict[str, list[Ranking]] = {}
            for dataset, cells in columns.items():
                report(f"{labels} labels, {name}, {dataset}")
                rankings[dataset] = [_rank(make(), cells, labels, seed) for seed in SEEDS]
            runs = [run for of_dataset in rankings.values() for run in of_dataset]
            ranked = [[run.spearman for run in of_dataset] for of_dataset in rankings.values()]
            covered = np.mean([run.coverage for run in runs], axis=0)
            shares = [f"{100 * share:.0f}" for share in covered] or ["-"] * len(COVERAGES)
            rows.append((f"{labels:,}", name, *(mean_and_std(of, 3) for of in ranked), *shares))
            if labels == TIMED_AT:
                times.append(f"{name} {np.median([run.seconds for run in runs]):.2f} s")
    return ResultTable(
        title="Ranking NAS-Bench-201 from few labelled cells",
        columns=("labels", "predictor", *DATASETS.values(), "within 1 std %", "within 2 std %"),
        rows=tuple(rows),
        notes=(
            "Spearman's rank correlation with the accuracy after 200 epochs over all 15,625 cells, "
            f"mean and std over {len(SEEDS)} seeds, each of which draws the labelled cells, the same "
            "for all predictors. All learn the Gaussianised ranks of the values.",
            "Within 1 or 2 std: the share of unlabelled cells whose accuracy lies within so many "
            "stated standard deviations of the prediction, all datasets together (an honest normal "
            "deviation covers 68 and 95 %).",
            f"Training: ensemble {ENSEMBLE_STEPS[200]} steps, with 1,000 labels "
            f"{ENSEMBLE_STEPS[1_000]} (its default: 2,000); each of {MEMBERS} transformers (2 blocks, "
            f"mean pooling) {TRANSFORMER_STEPS} steps, batches of up to {BATCH_SIZE}. The library's "
            "predictors are the ensemble and the Gaussian process on path features; the others exist "
            "for this comparison.",
            f"Processor time of one fit at {TIMED_AT} labels, median: {', '.join(times)}.",
        ),
    )


def _models(space: SearchSpace) -> dict[str, Callable[[], Ranker]]:
    one_hot, weisfeiler_lehman = OneHot(space), partial(WeisfeilerLehman, space)

    def library(model: ModelKind) -> PropertyPredictor:
        return PropertyPredictor(space, "accuracy", model=model)

    return {
        "ensemble on one-hot": lambda: library("ensemble"),
        "transformers on nodes": lambda: NodeTransformer(space, TRANSFORMER_STEPS),
        "Gaussian process, one-hot": lambda: ProcessOn(space, lambda _: one_hot),
        "Gaussian process, Weisfeiler-Lehman": lambda: ProcessOn(space, weisfeiler_lehman),
        "Gaussian process, path features": lambda: library("gaussian_process"),
    }


def _all_cells(space: SearchSpace, table: Table) -> dict[str, Cells]:
    architectures = [space.parse(text) for text in table.architectures]
    x = torch.from_numpy(space.encode(architectures))
    return {
        dataset: Cells(architectures, x, table.column(column))
        for column, dataset in DATASETS.items()
    }


def _rank(model: Ranker, cells: Cells, labels: int, seed: int) -> Ranking:
    count = len(cells.values)
    order = numpy_generator(seed).permutation(count)
    chosen, others = order[:labels], order[labels:]
    architectures, values = [cells.architectures[row] for row in chosen], cells.values[chosen]
    start = time.process_time()
    if isinstance(model, PropertyPredictor):
        fitted = model.fit(architectures, values, seed=seed, steps=ENSEMBLE_STEPS[labels])
    else:
        fitted = model.fit(architectures, values, seed=seed)
    seconds = time.process_time() - start
    with torch.no_grad():
        if not isinstance(model, PropertyPredictor):
            score = fitted.standardised(cells.x).double().numpy()
            return Ranking(spearman(score, cells.values), (), seconds)
        score, spread = (part.double().numpy() for part in model.distribution(cells.x))
    target = RankGaussian.fit(values)
    mean, std = target.to_value(score), target.to_value_spread(score, spread)
    quality = prediction_quality(mean[others], std[others], cells.values[others])
    coverage = tuple(quality[measure] for measure in COVERAGES)
    return Ranking(spearman(score, cells.values), coverage, seconds)
