"""How well the surrogate benchmark of MnasNet tells architectures apart that it never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.predictors import kendall, spearman
from diffusionnag.spaces import SearchSpace, get_search_space
from diffusionnag.tables import Measurements, clean_measurements
from experiments.measured_data import required_table
from experiments.result_table import ResultTable
from experiments.statistics import mean_and_std

SPACE = "mnasnet"
TABLE = "mnasnet_imagenet"
COLUMN = "imagenet_top1"
OTHERS = ("train_seconds", "a100_images_per_s", "tpuv3_images_per_s", "zcu102_latency_ms")
FOLDS = 10
BENCHMARK = "their mean, the benchmark"
PUBLISHED = 0.92


def surrogate(report: Callable[[str], None]) -> ResultTable:
    """Return the cross-validated errors and rank correlations of the surrogate and of its parts.

    Raises DiffusionNAGError where the measured table is not installed.
    """
    space, table = get_search_space(SPACE), required_table(SPACE, TABLE)
    cleaned = clean_measurements(table, space, COLUMN).report
    rows = []
    for column in (COLUMN, *OTHERS):
        measured = clean_measurements(table, space, column)
        qualities_of: dict[str, list[tuple[float, ...]]] = {}
        for fold, (true, predictions) in enumerate(_held_out(space, measured), start=1):
            report(f"{column}, fold {fold} of {FOLDS}")
            for part, predicted in predictions.items():
                qualities_of.setdefault(part, []).append(_quality(predicted, true))
        for part, qualities in qualities_of.items():
            if column == COLUMN or part == BENCHMARK:
                cells = (mean_and_std(measure, 3) for measure in zip(*qualities, strict=True))
                rows.append((column, f"{len(measured.values):,}", part, *cells))
    rows.insert(3, (COLUMN, "-", "published (Ahmad et al. 2024)", f"{PUBLISHED}", "-", "-", "-"))
    return ResultTable(
        title="A surrogate benchmark of MnasNet on ImageNet",
        columns=("column", "architectures", "surrogate", "Kendall", "Spearman", "R2", "MAE"),
        rows=tuple(rows),
        notes=(
            f"Mean and std over {FOLDS} folds, each held out in turn and predicted by what learnt from "
            f"the others. MAE: mean absolute error, in % for {COLUMN}, seconds, images/s and ms.",
            f"How exact the accuracies are themselves: {'; '.join(cleaned)}.",
            f"The search's `surrogate:{TABLE}:COLUMN` learns from all rows.",
        ),
    )


def _held_out(
    space: SearchSpace, measured: Measurements
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yield the true values of each fold, and their predictions by part, each `fold's size`."""
    from diffusionnag.tables.surrogate import SurrogateBenchmark

    order = numpy_generator(0).permutation(len(measured.values))
    for fold in np.array_split(order, FOLDS):
        rest = np.setdiff1d(order, fold)
        benchmark = SurrogateBenchmark(space)
        benchmark.fit([measured.architectures[row] for row in rest], measured.values[rest])
        held_out = [measured.architectures[row] for row in fold]
        predictions = benchmark.predict_by_part(held_out)
        yield measured.values[fold], {**predictions, BENCHMARK: benchmark.predict(held_out)}


def _quality(predicted: np.ndarray, true: np.ndarray) -> tuple[float, ...]:
    """Return Kendall's and Spearman's correlation, R2 and the mean absolute error."""
    error = predicted - true
    return (
        kendall(predicted, true),
        spearman(predicted, true),
        float(1 - np.square(error).sum() / np.square(true - true.mean()).sum()),
        float(np.abs(error).mean()),
    )
