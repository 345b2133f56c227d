"""Data sets on which MobileNetV3 networks were tuned and measured, each with a predictor of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diffusionnag.guidance import Property
from diffusionnag.predictors import (
    HeldOut,
    PropertyPredictor,
    held_out_parts,
    predict_held_out,
    predictor_under,
)
from diffusionnag.spaces import Architecture, SearchSpace, get_search_space
from diffusionnag.tables import clean_measurements
from experiments.measured_data import required_table

SPACE = "mobilenetv3"
TUNED, IMAGENET = "mobilenetv3_ofa_datasets", "mobilenetv3_ofa_imagenet"
FOLDS = 5


@dataclass(frozen=True, eq=False)
class TunedDataset:
    """What was measured on one data set, under one kind of training.

    `plain` networks are whole, at 192 or 224 pixels; the others have early exits, at 32 pixels.
    """

    name: str
    images: str
    """The data set; networks of both kinds were tuned on CIFAR-10."""
    plain: bool
    space: SearchSpace
    architectures: Sequence[Architecture]
    values: np.ndarray
    shipped: tuple[str, float | None] | None = None
    """The predictor that ships for it, and the resolution that it is asked for."""

    @cached_property
    def own(self) -> PropertyPredictor:
        """A Gaussian process fitted on all that was measured."""
        return self._fitted(np.arange(len(self.values)))

    @cached_property
    def predictor(self) -> Property:
        """The shipped predictor, which has seen other resolutions too; else its own."""
        if self.shipped is None:
            return self.own
        name, resolution = self.shipped
        under = {} if resolution is None else {"resolution": resolution}
        return predictor_under(name, self.space.under(**under) if under else self.space)

    def held_out(self) -> HeldOut:
        """Return what Gaussian processes say of fifths that they have not seen."""

        def predict(seen: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self._fitted(seen).predict([self.architectures[row] for row in asked])

        return predict_held_out(predict, self.values, held_out_parts(len(self.values), FOLDS, 0))

    def _fitted(self, rows: np.ndarray) -> PropertyPredictor:
        predictor = PropertyPredictor(self.space, self.name, model="gaussian_process")
        return predictor.fit([self.architectures[row] for row in rows], self.values[rows])


def tuned_datasets() -> list[TunedDataset]:
    """Return all there are; raises DiffusionNAGError where a table is not installed."""
    space = get_search_space(SPACE)
    described = (
        ("ImageNet", "ImageNet", True, IMAGENET, "imagenet_top1@224", ("imagenet_top1", 224.0)),
        ("CIFAR-10", "CIFAR-10", True, TUNED, "cifar10@192", ("cifar10", 192.0)),
        ("CIFAR-10, early exit", "CIFAR-10", False, TUNED, "cifar10_early_exit", None),
        ("CIFAR-100, early exit", "CIFAR-100", False, TUNED, "cifar100", ("cifar100", None)),
        ("SVHN, early exit", "SVHN", False, TUNED, "svhn", ("svhn", None)),
    )
    datasets = []
    for name, images, plain, table, column, shipped in described:
        measured = clean_measurements(required_table(SPACE, table), space, column)
        datasets.append(
            TunedDataset(
                *(name, images, plain, space),
                *(measured.architectures, measured.values, shipped),
            )
        )
    return datasets


def others_than(target: TunedDataset, datasets: Sequence[TunedDataset]) -> list[TunedDataset]:
    """Return those of other data sets."""
    return [each for each in datasets if each.images != target.images]
