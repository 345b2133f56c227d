"""What a predictor's folder holds: its model, of those there are to choose from, and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusionnag.artifacts.checkpoints import (
    checkpoint_name,
    read_weights,
    space_entries,
    write_checkpoint,
)
from diffusionnag.artifacts.model_cards import About, model_card
from diffusionnag.artifacts.training_state import under
from diffusionnag.guidance.properties import Property
from diffusionnag.predictors.ensemble import Ensemble
from diffusionnag.predictors.gaussian_process import GaussianProcess
from diffusionnag.predictors.known_besides import features_besides
from diffusionnag.predictors.model import Model
from diffusionnag.predictors.rank_gaussian import RankGaussian
from diffusionnag.spaces import SearchSpace

MODELS: dict[str, type[Model]] = {model.kind: model for model in (Ensemble, GaussianProcess)}
_joint: dict[tuple[str, str], tuple[Model, Mapping[str, Tensor]]] = {}
"""What was read of models of many properties, by the sums of their files: they share the layers."""


def load_model(
    folder: Path,
    config: Mapping[str, Any],
    space: SearchSpace,
    property_name: str,
    starts_from: Sequence[Property],
) -> tuple[Model, RankGaussian]:
    """Return the fitted model of a property, and its scale; one of many properties is read once."""
    if "properties" not in config:
        model, weights = _read(folder, config, space, starts_from)
        return model, RankGaussian.from_weights(weights)
    sums = config["sha256"]["config"], config["sha256"]["weights"]
    # What is kept must serve gradients later, even where none are asked for now.
    with torch.inference_mode(False):
        if sums not in _joint:
            _joint[sums] = _read(folder, config, space)
        model, weights = _joint[sums]
        if not isinstance(model, Ensemble):
            raise TypeError(f"a {model.kind} predicts one property")
        single = model.only(list(config["properties"]).index(property_name))
    return single, RankGaussian.from_weights(under(weights, f"{property_name}."))


def write_model(
    folder: Path,
    space: SearchSpace,
    property_name: str,
    model: Model,
    target: RankGaussian,
    *,
    about: About,
    noise_aware: bool,
    starts_from: Sequence[tuple[str, Mapping[str, str]]],
) -> None:
    """Write the fitted model of a property, its scale and its card.

    `starts_from` are the properties that it starts from, with the sums of their files. Raises
    EnvironmentFailureError where writing fails.
    """
    config = {
        "kind": "property_predictor",
        **space_entries(space),
        "property": property_name,
        "model": asdict(model.config) | {"kind": model.kind},
        "starts_from": starts_from,
        "about": asdict(about),
    }
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    weights["target.values"] = torch.from_numpy(target.values)
    weights["target.normal"] = torch.from_numpy(target.normal)
    card = model_card(
        title=f"{property_name} of {space.name} architectures",
        summary=f"Predicts the property `{property_name}` of an architecture of `{space.name}`, with a "
        "standard deviation, and guides generation towards it.",
        usage="from diffusionnag import Generator, PropertyPredictor\n\n"
        f'generator = Generator.from_pretrained("{space.name}")\n'
        f'predictor = PropertyPredictor.from_pretrained("{checkpoint_name(space.name, property_name)}")\n'
        "architectures = generator.sample(256, guide=predictor)",
        facts={
            "search space": space.name,
            "property": property_name,
            "judges": "noised architectures" if noise_aware else "clean architectures",
            "model": model.kind.replace("_", " "),
            **({"starts from": ", ".join(name for name, _ in starts_from)} if starts_from else {}),
            **({"aspects": ", ".join(model.aspect_names)} if model.aspect_names else {}),
            **model.predicts_under,
        },
        about=about,
    )
    write_checkpoint(folder, config, weights, card)


def _read(
    folder: Path,
    config: Mapping[str, Any],
    space: SearchSpace,
    starts_from: Sequence[Property] = (),
) -> tuple[Model, Mapping[str, Tensor]]:
    settings = dict(config["model"])
    kind = MODELS[settings.pop("kind")]
    if starts_from:
        features = features_besides(space, starts_from)
        model: Model = GaussianProcess.from_config(space, settings, features)
    else:
        model = kind.from_config(space, settings)
    weights = read_weights(folder, config)
    model.load_state_dict(under(weights, "model."))
    return model, weights
