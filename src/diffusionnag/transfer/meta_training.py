"""Meta-training of a dataset-aware predictor on (data set, architecture, accuracy) triplets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusionnag._seeds import check_seed, numpy_generator
from diffusionnag.predictors import PropertyPredictor, RankGaussian
from diffusionnag.spaces import SearchSpace
from diffusionnag.transfer.dataset_encoding import DatasetEncoding
from diffusionnag.transfer.effects import separate_effects
from diffusionnag.transfer.image_encoder import EncodesImages
from diffusionnag.transfer.predictor import PROPERTY, DatasetAwarePredictor
from diffusionnag.transfer.set_encoder_training import Levels, train_set_encoder
from diffusionnag.transfer.triplets import Triplets

MOST_TRIPLETS = 5_000
STEPS = 800


def meta_train(
    space: SearchSpace,
    triplets: Triplets,
    images: DatasetEncoding,
    image_encoder: EncodesImages,
    *,
    noise_aware: bool = False,
    steps: int = STEPS,
    seed: int = 0,
    state: Path | None = None,
    report: Callable[[str, int, int], None] = lambda stage, step, steps: None,
) -> DatasetAwarePredictor:
    """Return a predictor that learnt from the triplets that are not held out.

    `images` encodes every class of the image data set that the triplets name. First an additive
    Gaussian process separates what architectures and data sets add to the accuracies' normal scores
    (`separate_effects`); of more than 5,000 triplets it takes so many. Then the set encoder is
    trained to tell the levels of the data sets from their images, by the squared error. If
    `noise_aware`, an ensemble learns from noised architectures what the process holds of clean ones.
    A training of the set encoder that was stopped goes on from the file of its `state`.
    """
    check_seed(seed)
    rows = numpy_generator(seed).permutation(triplets.seen)[:MOST_TRIPLETS]
    target = RankGaussian.fit(triplets.accuracies[rows])
    classes = [triplets.classes[row] for row in rows]
    effects = separate_effects(
        space,
        [triplets.architectures[row] for row in rows],
        classes,
        target.to_normal(triplets.accuracies[rows]),
        seed=seed,
        report=lambda step, of: report("telling architectures from data sets", step, of),
    )
    set_encoder = train_set_encoder(
        Levels(*_by_label(images), classes, torch.from_numpy(effects.levels).float()),
        steps=steps,
        seed=seed,
        state=state,
        report=lambda step, of: report("learning data sets", step, of),
    )
    architectures = PropertyPredictor.from_fitted(
        space, PROPERTY, effects.process, RankGaussian.identity()
    )
    if noise_aware:
        score = architectures.normal_score(effects.distinct)
        architectures = PropertyPredictor(space, PROPERTY, noise_aware=True)
        architectures.fit(effects.distinct, score, seed=seed)
    return DatasetAwarePredictor(space, image_encoder, set_encoder, architectures, target)


def predict_triplets(
    predictor: DatasetAwarePredictor, triplets: Triplets, rows: np.ndarray, images: DatasetEncoding
) -> np.ndarray:
    """Return the predicted accuracy in % of each of these rows, `rows`."""
    place = {label: row for row, label in enumerate(images.labels)}
    means = []
    for row in rows:
        classes = [place[label] for label in triplets.classes[row]]
        labels = tuple(triplets.classes[row])
        task = DatasetEncoding(images.codes[classes], images.present[classes], labels, 0)
        mean, _ = predictor.for_dataset(task).predict([triplets.architectures[row]])
        means.append(mean[0])
    return np.array(means)


def _by_label(images: DatasetEncoding) -> tuple[Tensor, Tensor]:
    """Return codes and presence in the order of the classes' numbers."""
    order = torch.tensor(np.argsort(images.labels))
    return images.codes[order], images.present[order]
