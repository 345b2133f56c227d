"""The shipped predictors of training-free proxies, and how well proxies tell accuracies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from diffusionnag.artifacts.model_cards import About, machine, today
from diffusionnag.networks import OwnFit, load_data
from diffusionnag.predictors import PropertyPredictor, checkpoint_name, spearman
from diffusionnag.proxies import (
    AZ_NAS,
    COMBINED,
    FURTHER_PROXIES,
    USUAL_PROXIES,
    ProxySettings,
    score_architectures,
    score_space,
    single_scores,
)
from diffusionnag.search.objectives import read_objective
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.tables import Table, clean_measurements
from experiments.measured_data import (
    CIFAR10_TRAINING,
    IMAGENET_SINGLES,
    NASBENCH201_DATASETS,
    data_file,
    published_proxies,
    required_table,
)
from experiments.result_table import ResultTable
from experiments.search.search_benchmarks import big_space, biggest_space
from experiments.shipped_models.shipped_predictors import FOLDER

SCORES = Path("runs") / "proxies"
"""Where the scores of untrained networks are kept, so that the experiment can be stopped and go on."""
SETTINGS = ProxySettings(batch=32, besides=(AZ_NAS, *FURTHER_PROXIES))
BEST = 1_000
JUDGED_ON = 500
"""Random networks on which the predictor of a space without a full table is compared."""
IMAGENET = "ImageNet"


PIXELS = 64
"""The resolution of images that networks of the mobile spaces see."""
COUNTS = {"nasbench201": 200, "mobilenetv3": 200, "mnasnet": 200}
"""How many networks of each space are scored."""
SURROGATES = {benchmark.space: benchmark.searched for benchmark in (biggest_space(), big_space())}
"""What judges networks of a space that are not all measured."""


def shipped_proxies(report: Callable[[str], None]) -> ResultTable:
    """Return the rank correlations of proxies, and of the predictors of them, with accuracies.

    Trains the predictors that ship. Raises DiffusionNAGError where images, accuracies or surrogates
    are not installed.
    """
    rows = [row for name in COUNTS for row in _rows(get_search_space(name), report)]
    predictor = PropertyPredictor.from_pretrained(FOLDER / checkpoint_name("nasbench201", COMBINED))
    accuracies = required_table("nasbench201", "nasbench201_accuracy")
    cells = [predictor.search_space.parse(name) for name in accuracies.architectures]
    best = np.argsort(-predictor.normal_score(cells), kind="stable")[:BEST]
    means = ", ".join(
        f"{accuracies.column(column)[best].mean():.2f} % on {name}"
        for name, column in NASBENCH201_DATASETS.items()
    )
    return ResultTable(
        title="Training-free proxies against accuracies",
        columns=("space", "Spearman correlation with", *NASBENCH201_DATASETS, IMAGENET),
        rows=tuple(rows),
        notes=(
            f"nasbench201: test accuracy after 200 epochs, proxies on {SETTINGS.batch} training images "
            "of CIFAR-10 of cells that NAS-Bench-Suite-Zero drew. mobilenetv3 and mnasnet: ImageNet "
            "top-1 by the surrogates that their searches are judged by, proxies of random networks on "
            f"{SETTINGS.batch} images of {PIXELS} pixels.",
            f"`{COMBINED}` is the mean of the ranks by {', '.join(USUAL_PROXIES)}. Which proxies count "
            "was chosen on accuracies after 12 epochs and under corruptions, which are not in this table.",
            "The predictors have seen no accuracy; they are compared on all cells, and on "
            f"{JUDGED_ON} random networks.",
            f"The {BEST:,} cells that the predictor of nasbench201 holds best have these mean "
            f"accuracies: {means}.",
        ),
    )


def _scores(space: SearchSpace, report: Callable[[str], None]) -> Table:
    """Return the proxies of networks of a space, from what is kept or computed now."""
    report(f"{space.name}: reading images")
    mobile, count = space.name in SURROGATES, COUNTS[space.name]
    images = data_file(IMAGENET_SINGLES if mobile else CIFAR10_TRAINING)
    data = load_data(images, space, resolution=PIXELS if mobile else None)
    assert not isinstance(data, OwnFit)
    folder = SCORES / space.name

    def tell(done: int, total: int) -> None:
        report(f"{space.name}: {done} of {total} networks")

    if mobile:
        return score_space(space, data, count, folder, SETTINGS, report=tell)
    cells = [space.parse(cell) for cell in published_proxies(count)["arch"]]
    return score_architectures(space, data, cells, folder, SETTINGS, report=tell)


def _rows(space: SearchSpace, report: Callable[[str], None]) -> list[tuple[str, ...]]:
    """Score networks of a space, save the predictor of that, and return how well both tell accuracies."""
    scores = _scores(space, report)
    architectures = [space.parse(name) for name in scores.architectures]
    true = _accuracies(space, architectures)
    rows = []
    for name, values in scores.columns.items():
        known = np.isfinite(values)
        correlations = {
            dataset: spearman(values[known], column[known]) for dataset, column in true.items()
        }
        rows.append((space.name, f"{name}, {known.sum()} networks", *_shown(correlations)))
    measured = clean_measurements(scores, space, COMBINED)
    predictor = PropertyPredictor(space, COMBINED).fit(
        measured.architectures,
        measured.values,
        aspects=single_scores(scores, space, measured.architectures),
    )
    whole = list(space.enumerate()) if space.is_enumerable else space.sample(JUDGED_ON, 1)
    predicted = predictor.normal_score(whole)
    correlations = {
        dataset: spearman(predicted, column)
        for dataset, column in _accuracies(space, whole).items()
    }
    rows.append((space.name, f"predictor of {COMBINED}", *_shown(correlations)))
    predictor.about = About(
        command="python -m experiments shipped-proxies",
        data=f"{', '.join(USUAL_PROXIES)} of {len(measured.values)} untrained networks on "
        f"{SETTINGS.batch} images of {'ImageNet' if space.name in SURROGATES else 'CIFAR-10'}",
        date=today(),
        machine=machine(),
        quality={
            f"Spearman with accuracy, {dataset}": value for dataset, value in correlations.items()
        },
    )
    predictor.save_pretrained(FOLDER / checkpoint_name(space.name, COMBINED))
    return rows


def _accuracies(space: SearchSpace, architectures: list[Architecture]) -> dict[str, np.ndarray]:
    """Return the accuracies in % of architectures, by data set."""
    if space.name in SURROGATES:
        measure = read_objective(SURROGATES[space.name], space)
        values = [float(measure(architecture)) for architecture in architectures]  # type: ignore[arg-type]
        return {IMAGENET: np.array(values)}
    table = required_table(space.name, "nasbench201_accuracy")
    names = [space.format(architecture) for architecture in architectures]
    return {name: table.lookup(column, names) for name, column in NASBENCH201_DATASETS.items()}


def _shown(correlations: dict[str, float]) -> list[str]:
    return [
        f"{correlations[dataset]:.3f}" if dataset in correlations else "-"
        for dataset in (*NASBENCH201_DATASETS, IMAGENET)
    ]
