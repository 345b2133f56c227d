"""Meta-training of a dataset-aware predictor on (data set, architecture, accuracy) triplets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusionnag.predictors.path_features import PathFeatures
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.predictors.target import RankGaussian
from diffusionnag.seeds import check_seed
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.transfer.dataset_encoding import DatasetEncoding
from diffusionnag.transfer.image_encoder import ImageEncoder
from diffusionnag.transfer.predictor import PROPERTY, DatasetAwarePredictor
from diffusionnag.transfer.set_encoder import SetEncoder
from diffusionnag.transfer.triplets import Triplets

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
    image_encoder: ImageEncoder,
    *,
    noise_aware: bool = False,
    steps: int = STEPS,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda step, steps: None,
) -> DatasetAwarePredictor:
    """Return a predictor that learnt from the triplets that are not held out.

    `images` encodes every class of the image data set that the triplets name. The set encoder is
    trained together with an encoder of architectures, on the squared error of the accuracies' normal
    scores; then what it leaves unexplained, averaged over each architecture, is learnt by a property
    predictor: a Gaussian process, or an ensemble on noised architectures if `noise_aware`.
    """
    codes, present = _by_label(images)
    rows = triplets.seen
    target = RankGaussian.fit(triplets.accuracies[rows])
    normal = torch.from_numpy(target.to_normal(triplets.accuracies)).float()
    members, real = _padded(triplets.classes)
    rng = torch.Generator().manual_seed(check_seed(seed))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        set_encoder = SetEncoder(codes.shape[-1])
        features = torch.cat(
            PathFeatures(space)(torch.from_numpy(space.encode(triplets.architectures))), dim=1
        )
        architecture_encoder = nn.Sequential(
            nn.Linear(features.shape[1], 128), nn.GELU(), nn.Linear(128, 1)
        )
    shown = codes[present]
    set_encoder.centre.copy_(shown.mean(0))
    set_encoder.spread.copy_(shown.std(0).clamp(min=1e-6))
    parameters = [*set_encoder.parameters(), *architecture_encoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for step in range(steps):
        batch = torch.from_numpy(rows)[torch.randint(len(rows), (BATCH_SIZE,), generator=rng)]
        noise = torch.randn(codes[members[batch]].shape, generator=rng)
        noised = codes[members[batch]] + CODE_NOISE * set_encoder.spread * noise
        share = MOST_DROPPED * torch.rand((BATCH_SIZE, 1), generator=rng)
        kept = torch.rand(real[batch].shape, generator=rng) >= share
        kept[:, 0] = True
        there = present[members[batch]] & (real[batch] & kept)[..., None]
        level = set_encoder(noised, there)
        loss = functional.mse_loss(
            architecture_encoder(features[batch])[:, 0] + level, normal[batch]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        report(step + 1, steps)
    set_encoder.eval().requires_grad_(False)
    with torch.no_grad():
        levels = torch.cat(
            [
                set_encoder(codes[members[part]], present[members[part]] & real[part][..., None])
                for part in torch.from_numpy(rows).split(BATCH_SIZE)
            ]
        )
    left = (normal[rows] - levels).double().numpy()
    chosen, means = averaged([triplets.architectures[row] for row in rows], left)
    architectures = PropertyPredictor(space, PROPERTY, noise_aware=noise_aware)
    architectures.fit(chosen, means, seed=seed)
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


def averaged(
    architectures: Sequence[Architecture], values: np.ndarray
) -> tuple[list[Architecture], np.ndarray]:
    """Return each distinct architecture once, with the mean of its values."""
    number: dict[Architecture, int] = {}
    groups = [number.setdefault(one, len(number)) for one in architectures]
    return list(number), np.bincount(groups, values) / np.bincount(groups)
