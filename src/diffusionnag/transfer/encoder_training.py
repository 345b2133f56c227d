"""Training the small image encoder: classes of one data set, single images of another."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusionnag._devices import seeded
from diffusionnag._seeds import check_seed
from diffusionnag.images import Pixels
from diffusionnag.transfer.image_encoder import SIZE, ImageEncoder

LEARNING_RATE = 2e-3
CLASS_BATCH, SINGLE_BATCH = 128, 64
SMALLEST_CROP = 0.6


def train_image_encoder(
    classes: Pixels,
    singles: Pixels,
    *,
    steps: int,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda step, steps: None,
) -> ImageEncoder:
    """Return an encoder from whose codes two linear layers tell labels apart.

    One tells the labels of `classes`, many images each; the other those of `singles`, one image
    each, cropped and mirrored at random (exemplars, Dosovitskiy et al. 2014).
    """
    rng = torch.Generator().manual_seed(check_seed(seed))
    with seeded(seed):
        encoder = ImageEncoder()
        heads = [
            nn.Linear(encoder.dimensions, int(images.labels.max()) + 1)
            for images in (classes, singles)
        ]
    sources = [
        (torch.from_numpy(images.values), torch.from_numpy(images.labels))
        for images in (classes, singles)
    ]
    parameters = [*encoder.parameters(), *heads[0].parameters(), *heads[1].parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for step in range(steps):
        shown, wanted = [], []
        for (values, labels), size in zip(sources, (CLASS_BATCH, SINGLE_BATCH), strict=True):
            rows = torch.randint(len(values), (size,), generator=rng)
            shown.append(_cropped(values[rows].float() / 255, rng))
            wanted.append(labels[rows])
        codes = encoder(torch.cat(shown)).split((CLASS_BATCH, SINGLE_BATCH))
        losses = [
            functional.cross_entropy(head(code), label, label_smoothing=0.05)
            for head, code, label in zip(heads, codes, wanted, strict=True)
        ]
        optimiser.zero_grad()
        (losses[0] + 0.5 * losses[1]).backward()
        optimiser.step()
        schedule.step()
        report(step + 1, steps)
    return encoder.eval().requires_grad_(False)


def _cropped(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return random crops, mirrored or not, `batch x 3 x 32 x 32`, of square images."""
    batch = len(images)
    scale = SMALLEST_CROP + (1 - SMALLEST_CROP) * torch.rand(batch, generator=rng)
    shift = (2 * torch.rand((2, batch), generator=rng) - 1) * (1 - scale)
    mirror = torch.where(torch.rand(batch, generator=rng) < 0.5, -1.0, 1.0)
    angle = (2 * torch.rand(batch, generator=rng) - 1) * math.pi / 24
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    rows = [mirror * cosine, -sine, shift[0], mirror * sine, cosine, shift[1]]
    grid = functional.affine_grid(
        torch.stack(rows, dim=1).view(-1, 2, 3), [batch, 3, SIZE, SIZE], align_corners=False
    )
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
