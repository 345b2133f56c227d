"""A dataset-aware predictor f(D, A) (paper, Eq. 10), and what it predicts for one data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusionnag.artifacts.checkpoints import (
    CONFIG_FILE,
    HUB_ID,
    building,
    locate,
    open_checkpoint,
    read_config,
    read_weights,
    shipped_folder,
    space_entries,
    write_checkpoint,
)
from diffusionnag.artifacts.hub import HubModel
from diffusionnag.artifacts.model_cards import About, model_card
from diffusionnag.artifacts.schema import from_json
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance.properties import Property
from diffusionnag.predictors import PropertyPredictor, RankGaussian
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.transfer.dataset_encoding import DatasetEncoding
from diffusionnag.transfer.image_encoder import SHIPPED, EncodesImages, load_image_encoder
from diffusionnag.transfer.set_encoder import SetEncoder

KIND = "dataset_aware"
CHECKPOINT_KIND = "dataset_aware_predictor"
ARCHITECTURES = "architectures"
"""The subfolder that holds the part that judges architectures."""
PROPERTY = "accuracy"
SURVEYED = 1_000
"""Uniform draws, the same in every run, over which predictions have mean 0 and deviation 1."""


def is_dataset_aware(name: str) -> bool:
    """Return whether a shipped model, a folder or a model of the hub is a dataset-aware predictor."""
    if shipped_folder(KIND, name) is not None:
        return True
    on_hub = re.fullmatch(HUB_ID, name) and not Path(name).exists()
    folder = locate(KIND, name) if on_hub else Path(name)
    is_checkpoint = (folder / CONFIG_FILE).is_file()
    return is_checkpoint and read_config(folder).get("kind") == CHECKPOINT_KIND


class DatasetAwarePredictor(HubModel):
    """The accuracy of architectures on a data set that is known by its images alone.

    A set encoder says how high accuracies on a data set are, on the scale on which all measured
    accuracies are standard normal; `architectures` says by how much each differs from that.
    """

    def __init__(
        self,
        search_space: SearchSpace,
        image_encoder: EncodesImages,
        set_encoder: SetEncoder,
        architectures: PropertyPredictor,
        target: RankGaussian,
    ) -> None:
        self.search_space = search_space
        self.image_encoder = image_encoder
        self.set_encoder = set_encoder.eval().requires_grad_(False)
        self.architectures = architectures
        self.target = target
        self.about = About()

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Mean and deviation over the space of what architectures are predicted to add."""
        score = self.architectures.normal_score(self.search_space.whole.sample(SURVEYED, 0))
        return float(score.mean()), float(score.std()) or 1.0

    def for_dataset(self, dataset: DatasetEncoding) -> TransferredPredictor:
        """Return the predictor for one data set: a property to guide, limit and search by."""
        with torch.no_grad():
            level = self.set_encoder(dataset.codes[None], dataset.present[None])
        return TransferredPredictor(self.architectures, self.target, float(level), self.scale)

    # -- saving and loading -----------------------------------------------------------------------

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model into a folder; raises EnvironmentFailureError where that fails."""
        folder = Path(folder)
        config = {
            "kind": CHECKPOINT_KIND,
            **space_entries(self.search_space),
            "image_encoder": self.image_encoder.name,
            "image_encoder_source": self.image_encoder.source,
            "about": asdict(self.about),
        }
        weights = dict(self.set_encoder.state_dict())
        weights["target.values"] = torch.from_numpy(self.target.values)
        weights["target.normal"] = torch.from_numpy(self.target.normal)
        self.architectures.save_pretrained(folder / ARCHITECTURES)
        write_checkpoint(folder, config, weights, self._card())

    def _card(self) -> str:
        name = self.search_space.name
        return model_card(
            title=f"Dataset-aware accuracy of {name} architectures",
            summary="Predicts the accuracy of an architecture on a data set that it knows by some "
            "of its images, and guides generation for that data set.",
            usage=f"diffusionnag transfer {name} --data FOLDER_OF_CLASSES",
            facts={
                "search space": name,
                "judges": "noised architectures"
                if self.architectures.noise_aware
                else "clean architectures",
                "image encoder": self.image_encoder.source,
            },
            about=self.about,
        )

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        search_space: SearchSpace | None = None,
        image_encoder: str | None = None,
    ) -> DatasetAwarePredictor:
        """Load the predictor that ships for a search space, by its name, or one from a folder.

        `image_encoder` is where its image encoder lies now (see `load_image_encoder`), if no longer
        where it was. Raises DiffusionNAGError for an unknown name, a damaged folder, another space's
        model, or another image encoder than the one that it learnt from.
        """
        folder = locate(KIND, str(name))
        config, space = open_checkpoint(folder, CHECKPOINT_KIND, search_space)
        weights = read_weights(folder, config)
        with building(folder):
            target = RankGaussian.from_weights(weights)
            source = image_encoder or from_json(
                str, config.get("image_encoder_source", SHIPPED), "image_encoder_source"
            )
        encoder = load_image_encoder(source)
        if config.get("image_encoder") != encoder.name:
            raise DiffusionNAGError(
                f"{folder} learnt from the codes of another image encoder than {source}; name the one "
                "that it learnt from, or meta-train it again"
            )
        set_encoder = SetEncoder(encoder.dimensions)
        with building(folder):
            set_encoder.load_state_dict(
                {name: weight for name, weight in weights.items() if not name.startswith("target.")}
            )
        architectures = PropertyPredictor.from_pretrained(
            folder / ARCHITECTURES, search_space=None if search_space is None else space
        )
        predictor = cls(space, encoder, set_encoder, architectures, target)
        predictor.about = config["about"]
        return predictor


class TransferredPredictor(Property):
    """Accuracy in % on one data set, whose `level` (a standard normal score) is known.

    `scale` is mean and deviation over the space of what architectures add: good ones prevail among
    triplets, and where predictions spread less than other properties they would count for less.
    """

    property_name = PROPERTY

    def __init__(
        self,
        architectures: PropertyPredictor,
        target: RankGaussian,
        level: float,
        scale: tuple[float, float],
    ) -> None:
        self.search_space = architectures.search_space
        self.architectures = architectures
        self.target = target
        self.level = level
        self.centre, self.spread = scale

    @property
    def noise_aware(self) -> bool:
        """Whether it judges noised architectures A_t, given their noise level."""
        return self.architectures.noise_aware

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, standardised, each `batch`, of `batch x N x F`."""
        mean, std = self.architectures.distribution(x, sigma)
        return (mean - self.centre) / self.spread, std / self.spread

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the mean alone, `batch`, which takes less work."""
        return (self.architectures.standardised(x, sigma) - self.centre) / self.spread

    def to_standard(self, value: float) -> float:
        """Return an accuracy in % as a standard normal score among architectures."""
        normal = float(self.target.to_normal(np.array(value)))
        added = self.architectures.to_standard(normal - self.level)
        return (added - self.centre) / self.spread

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the accuracy in %, each `batch` float64."""
        mean, std = self.architectures.predict(architectures)
        normal = mean + self.level
        return self.target.to_value(normal), self.target.to_value_spread(normal, std)
