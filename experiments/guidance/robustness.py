"""Robustness against attack: guided NAS-Bench-201 cells, and the trade-off against clean accuracy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from diffusionnag.generation.dominance import non_dominated
from diffusionnag.generation.front import Objectives, find_front
from diffusionnag.generation.generator import Generator
from diffusionnag.predictors import PropertyPredictor
from diffusionnag.report import plot_pareto
from diffusionnag.spaces import SearchSpace
from diffusionnag.tables import Table
from experiments.guidance.true_quality import ABOUT_BEST, COLUMNS, SEEDS, TrueQuality
from experiments.measured_data import Truth, labelled_predictor, required_table
from experiments.result_table import ResultTable

PROPERTIES = ("fgsm_1", "pgd_1", "square_1", "square_2", "corruptions_mean")
LABELLED = {"0.4 %": 65, "1 %": 156, "10 %": 1_562}
FEW = ("0.4 %", "1 %")
KNOWN = ("cifar10", "proxies")
"""What predictors of few labels start from besides: clean accuracy, and untrained networks."""
SAMPLES = 500
TRADE_OFF = ("robustness:clean", "robustness:pgd_1")
ON_FRONT = 64
NEAR = (93.0, 93.5)
"""Clean accuracies in % that the most robust cells are asked to keep."""


def robustness(report: Callable[[str], None]) -> ResultTable:
    """Return the true robustness of random, sorted and guided cells, by the number of labels.

    Raises DiffusionNAGError where nasbench201_robustness_cifar10 is not installed.
    """
    generator = Generator.from_pretrained("nasbench201")
    table = required_table("nasbench201", "nasbench201_robustness_cifar10")
    quality = TrueQuality.of(generator, SAMPLES, report)
    known = [
        PropertyPredictor.from_pretrained(name, search_space=generator.search_space)
        for name in KNOWN
    ]
    rows = []
    for name in PROPERTIES:
        truth = Truth.of(table, f"robustness:{name}", SAMPLES)
        predictors = {
            share: functools.partial(labelled_predictor, generator.search_space, truth, count)
            for share, count in LABELLED.items()
        }
        predictors |= {
            f"{share}, {' and '.join(KNOWN)} known": functools.partial(
                labelled_predictor,
                generator.search_space,
                truth,
                LABELLED[share],
                starts_from=known,
            )
            for share in FEW
        }
        judged = quality.rows(truth, predictors, lambda text, name=name: report(f"{name}, {text}"))
        rows += [(name, *row) for row in judged]
    report("the front of clean accuracy and pgd_1")
    notes, picture = _trade_off(generator.search_space, table)
    return ResultTable(
        title=f"True robustness of {SAMPLES} NAS-Bench-201 cells (as the paper's Table 3)",
        columns=("property", *COLUMNS),
        rows=tuple(rows),
        notes=(
            "Accuracy on CIFAR-10 in % under an attack (its strength in 1/255), or the mean over 15 "
            "corruptions of 5 severities (Jung et al. 2023); isomorphic cells share the value that was "
            f"measured once for them. Means over seeds {SEEDS}, each with its own labelled cells; max "
            "and min are the best and worst of all. Labelled: a share of all 15,625 cells.",
            ABOUT_BEST,
            f"Known: the predictor starts from the shipped ones of {' and '.join(KNOWN)}, as "
            "`train-predictor --start-from` has it.",
            *notes,
        ),
        picture=picture,
    )


def _trade_off(space: SearchSpace, table: Table) -> tuple[tuple[str, ...], Callable[[Path], None]]:
    """Return what the measured figures say of the trade-off, and its picture."""
    truths = [Truth.of(table, name, SAMPLES) for name in TRADE_OFF]
    count = LABELLED["1 %"]
    labelled = [labelled_predictor(space, truth, count, seed=0) for truth in truths]
    generated = find_front(space, ON_FRONT, Objectives(tuple(labelled), (1.0, 1.0)))
    points = np.stack([truth.values(space, generated) for truth in truths], axis=1)
    everything = np.stack([table.column(name) for name in TRADE_OFF], axis=1)
    front = np.unique(everything[non_dominated(everything)], axis=0)
    clean, attacked = everything.T
    kept = []
    for accuracy in NEAR:
        best = attacked[clean >= accuracy].max()
        reached = points[points[:, 0] >= accuracy, 1]
        ours = f"{reached.max():.1f}" if len(reached) else "-"
        kept.append(f"with at least {accuracy:g} % clean: {best:.1f} of all, {ours} generated")
    notes = (
        f"The trade-off: {len(front)} distinct pairs of clean and pgd_1 accuracy are dominated by no "
        f"cell, from {_pair(front[-1])} (the best clean) to {_pair(front[0])} (the most robust). "
        f"Highest pgd_1 {'; '.join(kept)}.",
        f"Generated: {ON_FRONT} cells along the front of two predictors from {count} labelled cells "
        f"(seed 0), drawn by their true values. Marked: those that none of the {ON_FRONT} dominates. "
        "Behind: 1,000 random cells.",
    )
    surveyed = np.random.default_rng(0).permutation(len(everything))[:1_000]
    picture = functools.partial(
        plot_pareto,
        points,
        chosen=np.flatnonzero(non_dominated(points)),
        names=("clean accuracy", "accuracy under PGD, 1/255"),
        directions=(1, 1),
        random=everything[surveyed],
        title="Clean against robust accuracy on CIFAR-10, 1 % of all cells labelled",
        mark="on the front",
    )
    return notes, picture


def _pair(point: np.ndarray) -> str:
    return f"{point[0]:.1f} % / {point[1]:.1f} %"
