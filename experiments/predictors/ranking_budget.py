"""What to spend a budget on: labels, a supernet, training-free proxies, or what other data sets taught."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau
from torch import nn

from diffusionnag.guidance import Property
from diffusionnag.networks import ImageData, build_network, load_data
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.proxies import COMBINED, ProxySettings, combined_ranks, score_architectures
from diffusionnag.search.proposers import informed_process
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from experiments.measured_data import (
    CIFAR10_TRAINING,
    NASBENCH201_DATASETS,
    Truth,
    data_file,
    required_table,
)
from experiments.predictors.budget_plot import Line, plot_budget
from experiments.result_table import ResultTable
from experiments.supernets.small_cifar10 import small_cifar10
from experiments.supernets.supernet_ranking import IMAGES as SUPERNET_IMAGES
from experiments.supernets.supernet_ranking import SEEDS as SUPERNET_SEEDS
from experiments.supernets.supernet_ranking import goodness, measured
from experiments.transfer.known_by_images import transfer_to

DATASET = "CIFAR-10"
SEEDS = range(10)
EVERY = 1
"""Every so manieth cell of the space is ranked."""
LABELS = (5, 10, 20, 50, 100, 200)
EVALUATED = (20, 50, 100, 200, 500)
SCORED = (20, 50, 100, 200)
SETTINGS = ProxySettings(batch=32)
PROXIES, IMAGES, SUPERNET = "training-free proxies", "images, known data sets", "supernet"
FULL, SHORT = "labels of 200 epochs", "labels of 12 epochs"
TRAINED = {FULL: ("cifar10_test_200ep", 200, 50_000), SHORT: ("cifar10_valid_12ep", 12, 25_000)}
"""The table's column of a label, and the epochs and images that each took."""
WITH = ", with "
"""What stands between the name of a way to know, and what is known besides."""
AND_BOTH = f"{WITH}both"
"""What is added to the name of labels where proxies and images are known besides."""
AND_PROXIES = f"{WITH}proxies"
TIMED_CELLS, TIMED_BATCH = 10, 64
IMAGES_LOOKED_AT = 1_000
"""By proxies and for timing; batches of them are drawn."""

Ranking = tuple[Property, float]
"""What ranks cells, and the CPU seconds that it took."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Rank correlations with the true accuracies of all cells."""

    space: SearchSpace
    truth: Truth
    cells: Sequence[Architecture]
    label_seconds: dict[str, float]

    @functools.cached_property
    def true(self) -> np.ndarray:
        """The true accuracies of the cells, in %."""
        return self.truth.values(self.space, self.cells)

    def tau(self, *rankings: Property) -> float:
        """Return Kendall's tau of a property, or of the sum of several, with the true accuracy."""
        predicted = np.sum([ranking.normal_score(self.cells) for ranking in rankings], axis=0)
        return float(np.asarray(kendalltau(predicted, self.true))[0])

    def labelled(
        self, kind: str, count: int, seed: int, priors: Sequence[Property] = ()
    ) -> Property:
        """Return what so many labels teach, besides what is known by priors."""
        rows = np.random.default_rng(seed).permutation(len(self.cells))[:count]
        cells = [self.cells[row] for row in rows]
        column = TRAINED[kind][0]
        values = self.truth.table.lookup(column, [self.space.format(cell) for cell in cells])
        if priors:
            return informed_process(self.space, priors).fit(cells, values, seed=seed)
        return PropertyPredictor(self.space, column).fit(cells, values, seed=seed)

    def line(
        self, kind: str, priors: Sequence[Property] = (), spent: float = 0.0
    ) -> list[tuple[int, float, np.ndarray]]:
        """Return the numbers of labels, the CPU seconds, `spent` ones included, and taus of all seeds."""
        return [
            (
                count,
                spent + count * self.label_seconds[kind],
                np.array([self.tau(self.labelled(kind, count, seed, priors)) for seed in SEEDS]),
            )
            for count in LABELS
        ]


def ranking_budget(report: Callable[[str], None]) -> ResultTable:
    """Return how well cells are ranked by what is known of them, and what that costs.

    Raises DiffusionNAGError where CIFAR-10 or the table of true accuracies is not installed.
    """
    torch.set_num_threads(1)
    space = get_search_space("nasbench201")
    table = required_table(space.name, "nasbench201_accuracy")
    truth = Truth.of(table, NASBENCH201_DATASETS[DATASET])
    report("timing the training of a cell")
    data = load_data(data_file(CIFAR10_TRAINING), space, subset=IMAGES_LOOKED_AT)
    assert isinstance(data, ImageData)
    second = _seconds_an_image(space, data)
    seconds = {kind: second * epochs * images for kind, (_, epochs, images) in TRAINED.items()}
    comparison = Comparison(space, truth, list(space.enumerate())[::EVERY], seconds)
    groups: dict[str, list[tuple[int, float, np.ndarray]]] = {}

    scored = _scored(space, data, report)
    groups[PROXIES] = [
        (count, cost, np.array([comparison.tau(predictor)]))
        for count, (predictor, cost) in scored.items()
    ]
    proxies, proxies_cost = scored[max(SCORED)]
    report("images")
    begun = time.process_time()
    images, _ = transfer_to(DATASET)
    images_cost = time.process_time() - begun
    groups[IMAGES] = [(0, images_cost, np.array([comparison.tau(images)]))]
    shared = [_of_supernet(space, seed, report) for seed in SUPERNET_SEEDS]
    groups[SUPERNET] = [
        (
            count,
            float(np.mean([of_seed[count][1] for of_seed in shared])),
            np.array([comparison.tau(of_seed[count][0]) for of_seed in shared]),
        )
        for count in EVALUATED
    ]
    groups[f"{SUPERNET}{AND_PROXIES}"] = [
        (
            count,
            cost + proxies_cost,
            np.array([comparison.tau(of_seed[count][0], proxies) for of_seed in shared]),
        )
        for count, cost, _ in groups[SUPERNET]
    ]
    for kind in TRAINED:
        report(kind)
        groups[kind] = comparison.line(kind)
    both = (proxies, images), proxies_cost + images_cost
    for kind in TRAINED:
        report(f"{kind}, proxies and images")
        groups[f"{kind}{AND_BOTH}"] = comparison.line(kind, *both)
    return _table(groups, seconds)


def _table(
    groups: dict[str, list[tuple[int, float, np.ndarray]]], seconds: dict[str, float]
) -> ResultTable:
    rows = [
        (
            kind,
            str(count) if count else "-",
            f"{cost / 60:,.{2 if cost < 600 else 0}f}",
            f"{taus.mean():.3f}" + (f" ± {taus.std(ddof=1):.3f}" if len(taus) > 1 else ""),
        )
        for kind, points in groups.items()
        for count, cost, taus in points
    ]
    lines = {
        kind: Line(
            [cost / 60 for _, cost, _ in points],
            [float(taus.mean()) for *_, taus in points],
            kind.partition(WITH)[0] if WITH in kind else None,
        )
        for kind, points in groups.items()
    }
    return ResultTable(
        title="Ranking NAS-Bench-201 cells by CPU minutes spent",
        columns=("known", "cells", "CPU minutes", "Kendall's tau"),
        rows=tuple(rows),
        notes=(
            "Tau with the test accuracy on CIFAR-10 after 200 epochs over all 15,625 cells, those that "
            f"were labelled included. Mean and deviation of {len(SEEDS)} draws of labels, of "
            f"{len(SUPERNET_SEEDS)} supernets.",
            "CPU minutes are those of one core of this machine. A label takes "
            + ", ".join(f"{seconds[kind] / 60:,.0f} for {kind}" for kind in TRAINED)
            + f", computed from the time of a training step of {TIMED_CELLS} random cells: no network "
            "was trained for them, their values are the table's.",
            f"Proxies: {', '.join(SETTINGS.names)} of so many random cells, and a predictor of their mean "
            "rank. Supernet: see supernet-ranking; so many evaluations, and a predictor of them. Images: "
            "the shipped predictor that other data sets taught; what that took is not counted.",
            f"With both: proxies of {max(SCORED)} cells and images, as further inputs of the labels' "
            f"predictor. The supernet with proxies: the sum of both predictions, proxies of {max(SCORED)} "
            "cells.",
        ),
        picture=functools.partial(
            plot_budget,
            lines,
            title="Ranking NAS-Bench-201 cells by CPU minutes spent",
        ),
    )


def _seconds_an_image(space: SearchSpace, data: ImageData) -> float:
    """Return the CPU seconds that training takes for an image, the mean over random cells."""
    inputs = data.inputs(data.training, torch.arange(TIMED_BATCH), torch.device("cpu"))
    targets = torch.from_numpy(data.training.targets[:TIMED_BATCH])
    spent = []
    for cell in space.sample(TIMED_CELLS, seed=0):
        network = build_network(space, cell, task=data.task).train()

        def step(network: nn.Module = network) -> float:
            begun = time.process_time()
            data.loss(network(inputs), targets, 0.0).backward()
            return time.process_time() - begun

        step()  # the first one sets things up
        spent.append(step())
    return float(np.mean(spent)) / TIMED_BATCH


def _scored(
    space: SearchSpace, data: ImageData, report: Callable[[str], None]
) -> dict[int, Ranking]:
    """Return, for each number of cells, a predictor of their proxies, and the CPU seconds."""

    def tell(done: int, total: int) -> None:
        report(f"proxies, {done} of {total} cells")

    cells = space.sample(max(SCORED), seed=0)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        scores = score_architectures(space, data, cells, Path(folder), SETTINGS, report=tell)
        each = (time.process_time() - begun) / len(cells)
    columns = {name: scores.column(name) for name in SETTINGS.names}
    predictors: dict[int, Ranking] = {}
    for count in SCORED:
        ranks = combined_ranks({name: column[:count] for name, column in columns.items()})
        known = np.isfinite(ranks)
        kept = [cell for cell, defined in zip(cells[:count], known, strict=True) if defined]
        predictor = PropertyPredictor(space, COMBINED).fit(kept, ranks[known])
        predictors[count] = predictor, count * each
    return predictors


def _of_supernet(
    space: SearchSpace, seed: int, report: Callable[[str], None]
) -> dict[int, Ranking]:
    """Return, for each number of evaluations, a predictor of them, and the CPU seconds."""
    told = measured(space, small_cifar10(space, SUPERNET_IMAGES), seed, report)
    cells, values = [space.parse(text) for text in told["cells"]], goodness(told)
    each = told["evaluation_seconds"] / len(cells)
    return {
        count: (
            PropertyPredictor(space, SUPERNET).fit(cells[:count], values[:count]),
            told["training_seconds"] + count * each,
        )
        for count in EVALUATED
    }
