"""Image encoders, and the one that ships: a small network that needs no network connection."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from diffusionnag.artifacts.checkpoints import (
    building,
    locate,
    read_config,
    read_weights,
    write_checkpoint,
)
from diffusionnag.artifacts.model_cards import About, model_card
from diffusionnag.artifacts.schema import from_json
from diffusionnag.errors import DiffusionNAGError

KIND = "image_encoders"
SHIPPED = "small"
SIZE = 32
WIDTHS = (32, 64, 128)


class EncodesImages(Protocol):
    """What turns images into codes."""

    @property
    def name(self) -> str:
        """What tells its codes from those of any other: a sum of its weights."""
        ...

    @property
    def source(self) -> str:
        """What `load_image_encoder` loads it by."""
        ...

    @property
    def size(self) -> int:
        """The side of the square images that it takes, in pixels."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a code."""
        ...

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return codes, `batch x dimensions`, of RGB images `batch x 3 x size x size` in 0 to 1."""
        ...


def load_image_encoder(source: str = SHIPPED) -> EncodesImages:
    """Return the shipped encoder (`small`), or a vision model that transformers loads.

    Raises DiffusionNAGError as `load_pretrained_encoder` does.
    """
    if source == SHIPPED:
        return ImageEncoder.from_pretrained()
    from diffusionnag.transfer.pretrained_encoder import load_pretrained_encoder

    return load_pretrained_encoder(source)


class ImageEncoder(nn.Module):
    """Residual convolutions on images of 32 pixels; the mean activations of all stages are the code.

    `name` is the sum of the weights that were loaded.
    """

    source = SHIPPED
    size = SIZE
    dimensions = sum(WIDTHS)

    def __init__(self) -> None:
        super().__init__()
        self.name = SHIPPED
        self.about = About()
        inputs = (3, *WIDTHS[:-1])
        self.stages = nn.ModuleList(map(_Stage, inputs, WIDTHS))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the codes, `batch x 224`, of RGB images, `batch x 3 x 32 x 32` in 0 to 1."""
        x = (pixels - 0.5) / 0.25
        codes = []
        for stage in self.stages:
            x = stage(x)
            codes.append(x.mean((2, 3)))
        return torch.cat(codes, dim=1)

    def save(self, folder: Path) -> None:
        """Write weights, config and card into a folder."""
        config = {"kind": "image_encoder", "about": asdict(self.about)}
        card = model_card(
            title="Small image encoder",
            summary="Turns an image of 32 x 32 pixels into 224 numbers, so that a data set can be "
            "described by its images. It was trained to tell the classes of CIFAR-10 and single "
            "ImageNet images apart, and knows little beyond.",
            usage="from diffusionnag.transfer.image_encoder import ImageEncoder\n\n"
            "encoder = ImageEncoder.from_pretrained()",
            facts={"parameters": f"{sum(p.numel() for p in self.parameters()):,}"},
            about=self.about,
        )
        write_checkpoint(folder, config, dict(self.state_dict()), card)

    @classmethod
    def from_pretrained(cls, name: str = SHIPPED) -> ImageEncoder:
        """Load the shipped encoder, or one from a folder; raises DiffusionNAGError for neither."""
        folder = locate(KIND, name)
        config = read_config(folder)
        if config.get("kind") != "image_encoder":
            raise DiffusionNAGError(f"{folder} holds no image encoder")
        encoder = cls()
        with building(folder):
            encoder.load_state_dict(read_weights(folder, config))
        encoder.about = from_json(About, config.get("about"), f"{folder}: about")
        encoder.name = str(config["sha256"]["weights"])
        return encoder.eval().requires_grad_(False)


class _Stage(nn.Module):
    """Half the resolution, then one residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = _convolution(inputs, outputs, stride=2)
        self.first = _convolution(outputs, outputs)
        self.second = _convolution(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x).relu()
        return (x + self.second(self.first(x).relu())).relu()


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs)
    )
