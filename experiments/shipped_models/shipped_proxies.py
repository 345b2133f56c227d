"""The shipped predictor of training-free proxies, and how well proxies tell accuracies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from diffusionnag.artifacts.model_cards import About, machine, today
from diffusionnag.networks import OwnFit, load_data
from diffusionnag.predictors import PropertyPredictor, checkpoint_name, spearman
from diffusionnag.proxies import COMBINED, score_space
from diffusionnag.spaces import get_search_space
from diffusionnag.tables import clean_measurements
from experiments.measured_data import (
    CIFAR10_TRAINING,
    NASBENCH201_DATASETS,
    data_file,
    required_table,
)
from experiments.result_table import ResultTable
from experiments.shipped_models.shipped_predictors import FOLDER

SPACE = "nasbench201"
COUNT = 300
SCORES = Path("runs") / "proxies"
"""Where the scores of untrained networks are kept, so that the experiment can be stopped and go on."""
BEST = 1_000


def shipped_proxies(report: Callable[[str], None]) -> ResultTable:
    """Return the rank correlations of proxies, and of the predictor of them, with accuracies.

    Trains the predictor that ships. Raises DiffusionNAGError where CIFAR-10's images or the
    accuracies are not installed.
    """
    space = get_search_space(SPACE)
    report("reading CIFAR-10's images")
    data = load_data(data_file(CIFAR10_TRAINING), space)
    assert not isinstance(data, OwnFit)
    scores = score_space(
        space, data, COUNT, SCORES, report=lambda done, total: report(f"{done} of {total} networks")
    )
    measured = clean_measurements(scores, space, COMBINED)
    predictor = PropertyPredictor(space, COMBINED).fit(measured.architectures, measured.values)

    accuracies = required_table(SPACE, "nasbench201_accuracy")
    row = {name: at for at, name in enumerate(accuracies.architectures)}
    scored = [row[name] for name in scores.architectures]
    predicted = predictor.normal_score([space.parse(name) for name in accuracies.architectures])
    best = np.argsort(-predicted, kind="stable")[:BEST]
    columns = {name: accuracies.column(column) for name, column in NASBENCH201_DATASETS.items()}
    rows = []
    for name, values in scores.columns.items():
        known = np.isfinite(values)
        correlations = [
            spearman(values[known], column[scored][known]) for column in columns.values()
        ]
        rows.append((f"{name}, {known.sum()} networks", *_shown(correlations)))
    correlations = [spearman(predicted, column) for column in columns.values()]
    rows.append((f"predictor of {COMBINED}, all cells", *_shown(correlations)))

    predictor.about = About(
        command="python -m experiments shipped-proxies",
        data=f"nwot, synflow and jacov of {len(measured.values)} untrained networks, "
        "CIFAR-10's training images",
        date=today(),
        machine=machine(),
        quality={
            f"Spearman with test accuracy, {name}": value
            for name, value in zip(columns, correlations, strict=True)
        },
    )
    predictor.save_pretrained(FOLDER / checkpoint_name(SPACE, COMBINED))
    means = ", ".join(f"{column[best].mean():.2f} % on {name}" for name, column in columns.items())
    return ResultTable(
        title="Training-free proxies against accuracies of NAS-Bench-201",
        columns=("Spearman correlation with test accuracy after 200 epochs", *columns),
        rows=tuple(rows),
        notes=(
            f"Proxies of {COUNT} random cells, batches of 64 training images of CIFAR-10; the "
            f"predictor has seen no accuracy, and ships as `{COMBINED}`.",
            f"The {BEST:,} cells that it holds best have these mean accuracies: {means}.",
        ),
    )


def _shown(correlations: list[float]) -> list[str]:
    return [f"{value:.3f}" for value in correlations]
