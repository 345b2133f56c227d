"""Meta-training of a dataset-aware predictor on (data set, architecture, accuracy) triplets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.predictors.target import RankGaussian
from diffusionnag.seeds import check_seed, numpy_generator
from diffusionnag.spaces import SearchSpace
from diffusionnag.transfer.dataset_encoding import DatasetEncoding
from diffusionnag.transfer.effects import separate_effects
from diffusionnag.transfer.image_encoder import EncodesImages
from diffusionnag.transfer.predictor import PROPERTY, DatasetAwarePredictor
from diffusionnag.transfer.set_encoder import SetEncoder
from diffusionnag.transfer.triplets import Triplets

MOST_TRIPLETS = 5_000
STEPS = 800
BATCH_SIZE = 128
LEARNING_RATE = 2e-3
CODE_NOISE = 0.3
"""Standard deviation of what is added to image codes, in units of their spread."""
MOST_DROPPED = 0.3
"""Up to this share of a task's classes is left out at random."""


def meta_train(
    space: SearchSpace,
    triplets: Triplets,
    images: DatasetEncoding,
    image_encoder: EncodesImages,
    *,
    noise_aware: bool = False,
    steps: int = STEPS,
    seed: int = 0,
    report: Callable[[str, int, int], None] = lambda stage, step, steps: None,
) -> DatasetAwarePredictor:
    """Return a predictor that learnt from the triplets that are not held out.

    `images` encodes every class of the image data set that the triplets name. First an additive
    Gaussian process separates what architectures and data sets add to the accuracies' normal scores
    (`separate_effects`); of more than 5,000 triplets it takes so many. Then the set encoder is
    trained to tell the levels of the data sets from their images, by the squared error. If
    `noise_aware`, an ensemble learns from noised architectures what the process holds of clean ones.
    """
    codes, present = _by_label(images)
    rng = torch.Generator().manual_seed(check_seed(seed))
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
    levels = torch.from_numpy(effects.levels).float()
    members, real = _padded(classes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        set_encoder = SetEncoder(codes.shape[-1])
    shown = codes[present]
    set_encoder.centre.copy_(shown.mean(0))
    set_encoder.spread.copy_(shown.std(0).clamp(min=1e-6))
    optimiser = torch.optim.AdamW(set_encoder.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for step in range(steps):
        batch = torch.randint(len(rows), (BATCH_SIZE,), generator=rng)
        noise = torch.randn(codes[members[batch]].shape, generator=rng)
        noised = codes[members[batch]] + CODE_NOISE * set_encoder.spread * noise
        share = MOST_DROPPED * torch.rand((BATCH_SIZE, 1), generator=rng)
        kept = torch.rand(real[batch].shape, generator=rng) >= share
        kept[:, 0] = True
        there = present[members[batch]] & (real[batch] & kept)[..., None]
        loss = functional.mse_loss(set_encoder(noised, there), levels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        report("learning data sets", step + 1, steps)
    set_encoder.eval().requires_grad_(False)
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
    found = []
    for row in rows:
        classes = [place[label] for label in triplets.classes[row]]
        labels = tuple(triplets.classes[row])
        task = DatasetEncoding(images.codes[classes], images.present[classes], labels, 0)
        mean, _ = predictor.for_dataset(task).predict([triplets.architectures[row]])
        found.append(mean[0])
    return np.array(found)


def _by_label(images: DatasetEncoding) -> tuple[Tensor, Tensor]:
    """Return codes and presence in the order of the classes' numbers."""
    order = torch.tensor(np.argsort(images.labels))
    return images.codes[order], images.present[order]


def _padded(classes: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """Return the classes of each task, `count x most`, and which of them are real."""
    most = max(map(len, classes))
    members = torch.zeros(len(classes), most, dtype=torch.long)
    real = torch.zeros(len(classes), most, dtype=torch.bool)
    for row, task in enumerate(classes):
        members[row, : len(task)] = torch.tensor(task)
        real[row, : len(task)] = True
    return members, real
