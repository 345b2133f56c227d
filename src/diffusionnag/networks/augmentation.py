"""Random changes of image batches that leave their meaning alone, as tensor code.

All draw from torch's global generator. Images are `batch x 3 x H x W` floats from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

RANDAUGMENT_CHANGES = 2
STRONGEST = 30


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images besides flips and crops; 0 leaves each of them out.

    Arguments:
        cutout: side in pixels of the square that is blanked (DeVries & Taylor 2017).
        mixup: parameter of the Beta distribution of the shares that two images get (Zhang et al.
            2018).
        randaugment: strength, up to 30, of two changes drawn for each image (Cubuk et al. 2020).
    """

    cutout: int = 0
    mixup: float = 0.0
    randaugment: int = 0


def augment(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Return images flipped and cropped at random, then changed as asked for."""
    changed = random_crop(random_flip(images))
    if augmentation.randaugment:
        changed = randaugment(changed, augmentation.randaugment)
    return cutout(changed, augmentation.cutout) if augmentation.cutout else changed


def random_flip(images: Tensor) -> Tensor:
    """Return images of which half, on average, are mirrored left to right."""
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)


def random_crop(images: Tensor) -> Tensor:
    """Return images shifted by up to an eighth of their size, black coming in at the edges."""
    size, batch, device = images.shape[-1], len(images), images.device
    margin = size // 8
    padded = F.pad(images, (margin,) * 4).permute(0, 2, 3, 1)
    offsets = torch.randint(2 * margin + 1, (2, batch, 1), device=device)
    rows, columns = offsets + torch.arange(size, device=device)
    first = torch.arange(batch, device=device)[:, None, None]
    return padded[first, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor, side: int) -> Tensor:
    """Return images with a square of `side` pixels, cut off at the edges, made black."""
    size, device = images.shape[-1], images.device
    centres = torch.randint(size, (2, len(images), 1), device=device)
    distance = torch.arange(size, device=device) - centres
    rows, columns = (-(side // 2) <= distance) & (distance < side - side // 2)
    return images * ~(rows[:, None, :, None] & columns[:, None, None, :])


def mixup(images: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Return each image blended with another of the batch, and their class shares alike.

    `targets` is `batch x classes`, the probability of each class.
    """
    share = torch.distributions.Beta(alpha, alpha).sample().to(images)
    other = torch.randperm(len(images), device=images.device)
    return torch.lerp(images[other], images, share), torch.lerp(targets[other], targets, share)


def randaugment(images: Tensor, strength: int) -> Tensor:
    """Return images after two changes each, drawn from eleven, of a strength up to 30."""
    level = strength / STRONGEST
    changes = list(CHANGES.values())
    for _ in range(RANDAUGMENT_CHANGES):
        drawn = torch.randint(len(changes), (len(images),), device=images.device)
        changed = images.clone()
        for number, change in enumerate(changes):
            chosen = drawn == number
            if chosen.any():
                subset = images[chosen]
                sign = torch.randint(2, (len(subset), 1, 1, 1), device=images.device) * 2 - 1
                changed[chosen] = change(subset, level * sign).clamp(0, 1)
        images = changed
    return images


def _warp(images: Tensor, matrices: Tensor) -> Tensor:
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _affine(place: tuple[int, int], largest: float) -> Callable[[Tensor, Tensor], Tensor]:
    def change(images: Tensor, level: Tensor) -> Tensor:
        matrices = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
        matrices[:, place[0], place[1]] += largest * level.flatten()
        return _warp(images, matrices)

    return change


def _rotate(images: Tensor, level: Tensor) -> Tensor:
    angle = level.flatten() * math.radians(30)
    rows = (angle.cos(), -angle.sin(), 0 * angle, angle.sin(), angle.cos(), 0 * angle)
    return _warp(images, torch.stack(rows, dim=1).view(-1, 2, 3))


def _grey(images: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device)
    return (images * weights[:, None, None]).sum(1, keepdim=True)


def _posterize(images: Tensor, level: Tensor) -> Tensor:
    steps = 2.0 ** (8 - (4 * level.abs()).round())
    return (images * 255 / 256 * steps).floor() / steps


def _autocontrast(images: Tensor, level: Tensor) -> Tensor:
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp(min=1e-6), images)


CHANGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": lambda images, level: images,
    "autocontrast": _autocontrast,
    "posterize": _posterize,
    "solarize": lambda x, level: torch.where(x < 1 - level.abs(), x, 1 - x),
    "brightness": lambda x, level: x * (1 + 0.9 * level),
    "contrast": lambda x, level: torch.lerp(
        _grey(x).mean((2, 3), keepdim=True).expand_as(x), x, 1 + 0.9 * level
    ),
    "saturation": lambda x, level: torch.lerp(_grey(x).expand_as(x), x, 1 + 0.9 * level),
    "shear horizontally": _affine((0, 1), 0.3),
    "shear vertically": _affine((1, 0), 0.3),
    "shift horizontally": _affine((0, 2), 0.9),
    "rotate": _rotate,
}
"""The changes of RandAugment; each is given images and a level from -1 to 1, `batch x 1 x 1 x 1`."""
