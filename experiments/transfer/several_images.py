"""Whether a set encoder learns more from several images of a class than from one, by tasks left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diffusionnag._confidence import interval
from diffusionnag._devices import seeded
from diffusionnag.images import ImageSet, read_images
from diffusionnag.predictors import RankGaussian, spearman
from diffusionnag.spaces import get_search_space
from diffusionnag.transfer.dataset_encoding import encode_dataset
from diffusionnag.transfer.effects import separate_effects
from diffusionnag.transfer.image_encoder import ImageEncoder
from diffusionnag.transfer.set_encoder import SetEncoder
from diffusionnag.transfer.set_encoder_training import BATCH_SIZE, CODE_NOISE, LEARNING_RATE
from diffusionnag.transfer.triplets import read_triplets
from experiments.measured_data import IMAGENET_SINGLES, data_file
from experiments.result_table import ResultTable
from experiments.transfer.dataset_aware import HELD_OUT, SPACE, TRIPLETS
from experiments.transfer.known_by_images import imagenet_images

FOLDS, STEPS = 3, 800
MOST_IMAGES = 6
"""Of a class that are looked at."""


@dataclass(frozen=True)
class Shown:
    """Image codes, `classes x images x dimensions`, which are there, and whether to draw among them."""

    codes: Tensor
    present: Tensor
    drawn: bool

    @classmethod
    def of(cls, images: ImageSet, encoder: ImageEncoder, *, drawn: bool = False) -> Shown:
        """Return the first codes of each class, in the order of the classes."""
        encoding = encode_dataset(images, encoder, most_classes=None)
        order = torch.tensor(np.argsort(encoding.labels))
        codes, present = encoding.codes[order], encoding.present[order]
        return cls(codes[:, :MOST_IMAGES], present[:, :MOST_IMAGES], drawn)

    def classes(self, members: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return codes and presence of data sets, `batch x classes x ...`, drawn anew if wanted."""
        there = self.present[members]
        if self.drawn:
            order = torch.rand(there.shape, generator=rng).masked_fill(~there, 2.0).argsort(-1)
            wanted = torch.rand(there.shape[:2], generator=rng) * there.sum(-1)
            there = there & (order.argsort(-1) <= wanted[..., None])
        return self.codes[members], there


def several_images(report: Callable[[str], None]) -> ResultTable:
    """Return rank correlation and squared error on tasks left out, by how many images a class has.

    Raises DiffusionNAGError where the triplets or the images are not installed.
    """
    space, encoder = get_search_space(SPACE), ImageEncoder.from_pretrained()
    singles = read_images(data_file(IMAGENET_SINGLES))
    triplets = read_triplets(data_file(TRIPLETS), space, singles.classes, HELD_OUT)
    report("encoding images")
    every = imagenet_images()
    variants = {
        "one image of each class": Shown.of(singles, encoder),
        "all images at hand": Shown.of(every, encoder),
        "at each step some of them, drawn anew": Shown.of(every, encoder, drawn=True),
    }
    accuracies = triplets.accuracies[triplets.seen]
    architectures = [triplets.architectures[row] for row in triplets.seen]
    classes = [triplets.classes[row] for row in triplets.seen]
    number: dict[frozenset[int], int] = {}
    task = np.array([number.setdefault(frozenset(members), len(number)) for members in classes])
    fold = np.random.default_rng(0).permutation(len(number))[task] % FOLDS
    target = RankGaussian.fit(accuracies)
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for part in range(FOLDS):
        held, seen = np.flatnonzero(fold == part), np.flatnonzero(fold != part)
        report(f"part {part + 1} of {FOLDS}: architectures and data sets")
        effects = separate_effects(
            space,
            [architectures[row] for row in seen],
            [classes[row] for row in seen],
            target.to_normal(accuracies[seen]),
            seed=0,
            report=lambda step, steps: None,
        )
        x = torch.from_numpy(space.encode([architectures[row] for row in held])).double()
        with torch.no_grad():
            added = effects.process.standardised(x).numpy()
        levels = torch.from_numpy(effects.levels).float()
        members = torch.tensor(classes)
        for name, shown in variants.items():
            report(f"part {part + 1} of {FOLDS}: {name}")
            level = _train(shown, members[seen], levels)(members[held])
            mean = target.to_value(added + level)
            error = float(np.square(mean - accuracies[held]).mean())
            figures[name].append((spearman(mean, accuracies[held]), error))
    rows = []
    for name, values in figures.items():
        means, halves = np.mean(values, axis=0), interval(np.array(values))
        rows.append((name, *(f"{m:.3f} ± {h:.3f}" for m, h in zip(means, halves, strict=True))))
    return ResultTable(
        title="One image of a class, or several: accuracy on data sets left out",
        columns=("the set encoder sees", "Spearman", "mean squared error"),
        rows=tuple(rows),
        notes=(
            f"The {len(accuracies):,} triplets that are learnt from, a third of their data sets left "
            f"out in turn; mean over the {FOLDS} parts with 95 % interval. Classes of those left out "
            "are seen in others. The 400 held-out triplets have no part in it.",
            f"At hand are 1 to {MOST_IMAGES} images a class (the first of each in the order of their "
            "contents); what is left out is judged by all of them.",
        ),
    )


def _train(shown: Shown, members: Tensor, levels: Tensor) -> Callable[[Tensor], np.ndarray]:
    """Return the levels that an encoder trained as the library does tells of data sets, by members."""
    with seeded(0):
        encoder = SetEncoder(shown.codes.shape[-1])
    known = shown.codes[shown.present]
    encoder.centre.copy_(known.mean(0))
    encoder.spread.copy_(known.std(0).clamp(min=1e-6))
    rng = torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(encoder.parameters(), LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=STEPS)
    for _ in range(STEPS):
        batch = torch.randint(len(levels), (BATCH_SIZE,), generator=rng)
        codes, there = shown.classes(members[batch], rng)
        noise = CODE_NOISE * encoder.spread * torch.randn(codes.shape, generator=rng)
        kept = torch.rand(there.shape[:2], generator=rng) >= 0.15
        loss = functional.mse_loss(encoder(codes + noise, there & kept[..., None]), levels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    encoder.eval().requires_grad_(False)

    def level(asked: Tensor) -> np.ndarray:
        parts = asked.split(BATCH_SIZE)
        return torch.cat([encoder(shown.codes[p], shown.present[p]) for p in parts]).numpy()

    return level
