"""The accuracy predictor of Once-for-All as a benchmark: a value for each of its MobileNetV3 networks."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables.data_folder import data_path
from diffusionnag.tables.measurements import clean_measurements
from diffusionnag.tables.table import RESOLUTION, Table

OFA_BENCHMARK = "mobilenetv3_ofa"
"""What the benchmark is called in `surrogate:mobilenetv3_ofa:imagenet_top1@224`."""
OFA_BENCHMARK_TABLE = "mobilenetv3_ofa_imagenet"
"""The measured table that it is calibrated on."""
PREDICTOR_FILE = "ofa_accuracy_predictor.npz"
LAYERS = ("0", "2", "4", "6")
KERNELS, EXPANSIONS = (3, 5, 7), (3, 4, 6)
RESOLUTIONS = tuple(range(112, 225, 16))
LEAST_RESOLUTION = 160
"""Below, the predictor's order has nothing to do with the measured one."""


class OnceForAllPredictor:
    """Once-for-All's own accuracy predictor, a perceptron of four layers (Cai et al. 2020).

    `weights` are `0.weight`, `0.bias` and so on. Its scores rank; they are some points too high.
    """

    def __init__(self, space: SearchSpace, weights: dict[str, np.ndarray]) -> None:
        self.space = space
        self.layers = [(weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in LAYERS]

    @classmethod
    def read(cls, space: SearchSpace, path: Path) -> OnceForAllPredictor:
        """Return the predictor in an .npz file; DiffusionNAGError where there is none in it."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(space, {name: file[name].astype(np.float64) for name in file.files})
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DiffusionNAGError(
                f"{path}: no accuracy predictor of Once-for-All as .npz is there ({error})"
            ) from error

    def scores(self, architectures: Sequence[Architecture], resolution: float) -> np.ndarray:
        """Return the scores of architectures at a resolution, `batch` float64, in points.

        Raises DiffusionNAGError for a resolution that the predictor does not know.
        """
        if resolution not in RESOLUTIONS:
            known = ", ".join(map(str, RESOLUTIONS))
            raise DiffusionNAGError(
                f"Once-for-All's predictor knows no {resolution:g}, only {known}"
            )
        x = self.space.encode(architectures).astype(np.float64)
        names = self.space.operations
        at = np.zeros((len(x), len(RESOLUTIONS)))
        at[:, RESOLUTIONS.index(int(resolution))] = 1
        values = np.concatenate(
            [
                (x @ _grouped(names, 0, KERNELS)).reshape(len(x), -1),
                (x @ _grouped(names, 1, EXPANSIONS)).reshape(len(x), -1),
                at,
            ],
            axis=1,
        )
        for weight, bias in self.layers[:-1]:
            values = np.maximum(values @ weight.T + bias, 0)
        weight, bias = self.layers[-1]
        return 100 * (values @ weight.T + bias)[:, 0]


def _grouped(names: Sequence[str], place: int, sizes: Sequence[int]) -> np.ndarray:
    """Return which `kernel-expansion` has which size, `operations x sizes`; `none` has none."""
    parts = [name.split("-") for name in names]
    return np.array(
        [[float(len(part) == 2 and part[place] == str(size)) for size in sizes] for part in parts]
    )


class OnceForAllBenchmark:
    """Once-for-All's predictor, put on the scale of measured accuracies by a rising line of pieces.

    The pieces join the means of the blocks of isotonic regression, so that no two scores share a
    value; beyond the measured they go on as between the outermost.
    """

    def __init__(self, predictor: OnceForAllPredictor, resolution: float) -> None:
        self.predictor, self.resolution = predictor, resolution

    def fit(self, architectures: Sequence[Architecture], values: np.ndarray) -> OnceForAllBenchmark:
        """Calibrate on measured values (`count`, in %), and return itself."""
        from sklearn.isotonic import isotonic_regression

        scores = self.predictor.scores(architectures, self.resolution)
        order = np.argsort(scores, kind="stable")
        level = isotonic_regression(values[order])
        blocks, block_of = np.unique(level, return_inverse=True)
        self.knots = np.bincount(block_of, scores[order]) / np.bincount(block_of)
        self.values = blocks
        return self

    def predict(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the accuracy of each architecture, `batch` float64, in %."""
        scores = self.predictor.scores(architectures, self.resolution)
        slope = np.ptp(self.values) / np.ptp(self.knots)
        beyond = scores - scores.clip(self.knots[0], self.knots[-1])
        return np.interp(scores, self.knots, self.values) + slope * beyond


def ofa_benchmark(space: SearchSpace, table: Table, column: str) -> OnceForAllBenchmark:
    """Return the benchmark of `imagenet_top1@224`, calibrated on a table's column of that name.

    The predictor is the file ofa_accuracy_predictor.npz in the folder named by DIFFUSIONNAG_DATA.
    Raises DiffusionNAGError where it is not there, and for a column at no resolution, or below 160.
    """
    resolution = column.rpartition("@")[2]
    known = [f"{at:g}" for at in table.resolutions if at >= LEAST_RESOLUTION]
    if resolution not in known:
        raise DiffusionNAGError(
            f"surrogate:{OFA_BENCHMARK}:{column} should end in the {RESOLUTION}: "
            f"{', '.join('@' + at for at in known)}"
        )
    predictor = OnceForAllPredictor.read(space, data_path(PREDICTOR_FILE))
    measured = clean_measurements(table, space, column)
    return OnceForAllBenchmark(predictor, float(resolution)).fit(
        measured.architectures, measured.values
    )
