"""The models that a predictor chooses from, and how they are read from model folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffusionnag.artifacts.checkpoints import read_weights
from diffusionnag.artifacts.training_state import under
from diffusionnag.predictors.ensemble import Ensemble
from diffusionnag.predictors.gaussian_process import GaussianProcess
from diffusionnag.predictors.model import Model
from diffusionnag.predictors.rank_gaussian import RankGaussian
from diffusionnag.spaces import SearchSpace

MODELS: dict[str, type[Model]] = {model.kind: model for model in (Ensemble, GaussianProcess)}
_joint: dict[tuple[str, str], tuple[Model, Mapping[str, Tensor]]] = {}
"""What was read of models of many properties, by the sums of their files: they share the layers."""


def load_model(
    folder: Path, config: Mapping[str, Any], space: SearchSpace, property_name: str
) -> tuple[Model, RankGaussian]:
    """Return the fitted model of a property, and its scale; one of many properties is read once."""
    if "properties" not in config:
        model, weights = _read(folder, config, space)
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


def _read(
    folder: Path, config: Mapping[str, Any], space: SearchSpace
) -> tuple[Model, Mapping[str, Tensor]]:
    settings = dict(config["model"])
    model = MODELS[settings.pop("kind")].from_config(space, settings)
    weights = read_weights(folder, config)
    model.load_state_dict(under(weights, "model."))
    return model, weights
