"""How good what `best` hands out truly is: shipped predictors, and few labels of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.generation import find_best
from diffusionnag.generation.request import read_property
from diffusionnag.guidance import Bound, limit, maximize
from diffusionnag.guidance.properties import Property
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.spaces import Architecture, get_search_space
from experiments.measured_data import NASBENCH201_DATASETS, required_table
from experiments.result_table import ResultTable
from experiments.statistics import mean_and_std

DEVICES = ("pixel3", "eyeriss", "gold_6226")
QUANTILES = (0.05, 0.3, 0.6)
SHIPPED_SEEDS = range(20)
SECONDS = (1.0, 0.5)
"""What ranks the whole space, and what searches it."""
LABELLED = (40, 156, 1_562)
LABEL_SEEDS = range(10)
CAUTION = (0.0, 0.5, 1.0)
DEVICE = "pixel3"
COUNT = 10
CHANCE = 15.0
"""Cells below so many % on CIFAR-10 guess."""


def best_true(report: Callable[[str], None]) -> ResultTable:
    """Return true CIFAR-10 accuracies of ten cells under latency limits, by who chose them."""
    space = get_search_space("nasbench201")
    cells = list(space.enumerate())
    strings = [space.format(cell) for cell in cells]
    column = NASBENCH201_DATASETS["CIFAR-10"]
    truth = required_table("nasbench201", "nasbench201_accuracy").lookup(column, strings)
    latencies = required_table("nasbench201", "nasbench201_latency_ms")
    number = {cell: row for row, cell in enumerate(cells)}
    rows: list[tuple[str, ...]] = []

    def add(
        asked: str, chosen_by: str, groups: Sequence[Sequence[Architecture]], first: str
    ) -> None:
        values = [truth[[number[cell] for cell in group]] for group in groups]
        means = [float(group.mean()) for group in values]
        mean = mean_and_std(means) if len(means) > 1 else f"{means[0]:.2f}"
        lowest = min(group.min() for group in values)
        guessing = sum(int((group < CHANCE).sum()) for group in values)
        rows.append((asked, chosen_by, mean, f"{lowest:.2f}", str(guessing), first))

    def sorted_cells(score: Property, bound: Bound) -> list[Architecture]:
        order = np.argsort(-score.normal_score(cells), kind="stable")
        kept = bound.keeps(cells)
        return [cells[row] for row in order if kept[row]][:COUNT]

    accuracy = read_property("cifar10", space)
    for device in DEVICES:
        predicted = read_property(f"latency:{device}", space)
        values = predicted.predict(cells)[0]
        for quantile in QUANTILES:
            bound = limit(predicted, at_most=float(np.quantile(values, quantile)))
            guide = maximize(accuracy) + bound
            asked = f"shipped, {bound.describe()}"
            report(asked)
            expected = sorted_cells(accuracy, bound)
            add(asked, "whole space sorted", [expected], "")
            for seconds in SECONDS:
                several, single = (
                    [
                        find_best(space, count, guide=guide, seconds=seconds, seed=seed)
                        for seed in SHIPPED_SEEDS
                    ]
                    for count in (COUNT, 1)
                )
                hits = sum(group[0] == expected[0] for group in single)
                share = f"{100 * hits / len(single):.0f} %"
                add(asked, f"best, --seconds {seconds:g}", several, share)

    measured = latencies.lookup(f"latency:{DEVICE}", strings)
    for labelled in LABELLED:
        report(f"{labelled} labels of one's own")
        chosen: dict[str, list[Sequence[Architecture]]] = {}
        for seed in LABEL_SEEDS:
            drawn = numpy_generator(seed).permutation(len(cells))[:labelled]
            known = [cells[row] for row in drawn]
            learnt, latency = (
                PropertyPredictor(space, name).fit(known, values[drawn], seed=seed)
                for name, values in (("accuracy", truth), ("latency", measured))
            )
            bound = limit(latency, at_most=float(np.median(measured[drawn])))
            chosen.setdefault("whole space sorted", []).append(sorted_cells(learnt, bound))
            for caution in CAUTION:
                name = f"best, --cautious {caution:g}" if caution else "best"
                guide = maximize(learnt) + bound
                samples = find_best(space, COUNT, guide=guide, cautious=caution, seed=seed)
                chosen.setdefault(name, []).append(samples)
        for name, groups in chosen.items():
            add(f"{labelled} labels, the median latency", name, groups, "")
    return ResultTable(
        title=f"True CIFAR-10 accuracy of {COUNT} NAS-Bench-201 cells under a latency limit",
        columns=("asked for", "chosen by", "mean %", "lowest %", "at chance", "first is the best"),
        rows=tuple(rows),
        notes=(
            "Test accuracy in % after 200 epochs. Whole space sorted: the predictor's best ten of all "
            "15,625 cells within the predicted limit. Cells at chance are counted over all seeds.",
            f"Shipped predictors: means over {len(SHIPPED_SEEDS)} seeds; limits at the "
            f"{', '.join(f'{100 * q:g}' for q in QUANTILES)} % quantiles of all cells. `--seconds 1` "
            "ranks the whole space, `0.5` searches it from 1,000 draws. First is the best: how often "
            "n = 1 hands out the best predicted cell of all.",
            f"Labels of one's own: accuracy and {DEVICE} latency of cells drawn at random, means over "
            f"{len(LABEL_SEEDS)} seeds of labels; the limit is the median latency of the labelled.",
        ),
    )
