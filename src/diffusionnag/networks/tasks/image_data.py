"""The images that architectures are trained for and compared on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images import Pixels, read_images, read_pixels
from diffusionnag.networks.augmentation import Augmentation, augment, mixup
from diffusionnag.networks.tasks.splitting import split_rows
from diffusionnag.networks.tasks.supervised import Examples, SupervisedData, standardised
from diffusionnag.spaces import ImageClassification, ImageRegression, Task


class ImageData(SupervisedData):
    """Images to train on and images to measure the accuracy on, of the same classes.

    They are standardised by mean and deviation of each colour over the training images.
    """

    @classmethod
    def of_pixels(
        cls,
        classes: tuple[str, ...],
        training: Pixels,
        held_out: Pixels,
        resolution: int,
        width: float = 1.0,
        cells: int | None = None,
    ) -> ImageData:
        """Return the data of decoded images of some classes."""
        mean, deviation = normalisation(training)
        return cls(
            task=ImageClassification(len(classes), resolution, width, cells),
            training=Examples(training.values, training.labels),
            held_out=Examples(held_out.values, held_out.labels),
            preparation={"classes": classes, "mean": mean, "std": deviation},
            noun="images",
            skipped=training.skipped + held_out.skipped,
        )

    def inputs(self, examples: Examples, chosen: Tensor, device: Any) -> Tensor:
        """Return images standardised, `batch x 3 x H x W`."""
        return self._standardised(_images(examples, chosen, device))

    def batch(
        self, chosen: Tensor, augmentation: Augmentation, device: Any
    ) -> tuple[Tensor, Tensor]:
        """Return images flipped, cropped and changed at random, standardised, and their targets."""
        images = augment(_images(self.training, chosen, device), augmentation)
        targets = self.targets(chosen, device)
        if augmentation.mixup:
            images, targets = mixup(images, targets, augmentation.mixup)
        return self._standardised(images), targets

    def _standardised(self, images: Tensor) -> Tensor:
        mean, deviation = (
            torch.tensor(self.preparation[name], device=images.device)[:, None, None]
            for name in ("mean", "std")
        )
        return (images - mean) / deviation

    def as_regression(self) -> ImageData:
        """Return the same images, each with the number that its class is called.

        Raises DiffusionNAGError where a class is no number.
        """
        try:
            values = np.array([float(name) for name in self.preparation["classes"]])
        except ValueError as error:
            raise DiffusionNAGError(
                "a label is no number, and the task is to tell numbers"
            ) from error
        seen = self.training.targets
        told, scale = standardised(values, seen)
        assert isinstance(self.task, ImageClassification)
        kept = {name: self.preparation[name] for name in ("mean", "std")}
        return replace(
            self,
            task=ImageRegression(self.task.resolution, self.task.width),
            training=replace(self.training, targets=told[seen]),
            held_out=replace(self.held_out, targets=told[self.held_out.targets]),
            preparation=kept | {"target_mean": scale[0], "target_std": scale[1]},
            scale=scale,
        )


def normalisation(pixels: Pixels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each colour, on the scale from 0 to 1."""
    values = torch.from_numpy(pixels.values)
    colours = [values[:, number].double() / 255 for number in range(3)]
    mean = tuple(float(colour.mean()) for colour in colours)
    return mean, tuple(max(float(colour.std(correction=0)), 1e-3) for colour in colours)


def read_image_data(
    data: str | Path,
    task: Task,
    *,
    test: str | Path | None = None,
    subset: int | None = None,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> ImageData:
    """Decode a data set, as `read_images` reads it, for a task on images; see `load_data`."""
    assert isinstance(task, ImageClassification | ImageRegression)
    images = read_images(data)
    if len(images.classes) < 2:
        raise DiffusionNAGError(f"{data} holds one class only; there is nothing to tell apart")
    others = images if test is None else read_images(test)
    if others.classes != images.classes:
        raise DiffusionNAGError(f"{test} has other classes than {data}")
    seen, chosen = split_rows(len(images), None if test is None else len(others), subset, seed)
    training = read_pixels(images, task.resolution, seen, report)
    held_out = read_pixels(others, task.resolution, chosen, report)
    cells = task.cells if isinstance(task, ImageClassification) else None
    decoded = ImageData.of_pixels(
        images.classes, training, held_out, task.resolution, task.width, cells
    )
    return decoded.as_regression() if isinstance(task, ImageRegression) else decoded


def _images(examples: Examples, chosen: Tensor, device: Any) -> Tensor:
    return torch.from_numpy(examples.inputs)[chosen].to(device) / 255
