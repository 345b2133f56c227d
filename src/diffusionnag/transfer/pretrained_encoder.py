"""Image encoders pretrained elsewhere: any vision model that the package transformers loads."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffusionnag.artifacts.checkpoints import CONFIG_FILE, HUB_ID
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError

USUAL_SIZE = 224
USUAL_MEAN, USUAL_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels, for a model that comes without a description of its input."""


class PretrainedEncoder(nn.Module):
    """A vision model whose last hidden states, averaged over the image, are the code.

    Of a model of images and texts it is the image part. `name` is a sum of the weights, so that
    codes of one model are never taken for those of another; `source` is where it was loaded from.
    """

    def __init__(
        self, model: nn.Module, name: str, source: str, preprocessing: dict[str, Any]
    ) -> None:
        super().__init__()
        self.name = name
        self.source = source
        self.model = model.eval().requires_grad_(False)
        self.size = _input_size(self.model, preprocessing)
        mean = preprocessing.get("image_mean") or USUAL_MEAN
        std = preprocessing.get("image_std") or USUAL_STD
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        with torch.no_grad():
            self.dimensions = self(torch.zeros(1, 3, self.size, self.size)).shape[1]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return codes, `batch x dimensions`, of RGB images `batch x 3 x size x size` in 0 to 1."""
        scaled = (pixels - self.get_buffer("mean")) / self.get_buffer("std")
        hidden = self.model(pixel_values=scaled).last_hidden_state
        # Convolutions return `batch x dimensions x height x width`, transformers a row a patch.
        return hidden.mean((2, 3)) if hidden.ndim == 4 else hidden.mean(1)


def load_pretrained_encoder(source: str) -> PretrainedEncoder:
    """Return the encoder in a folder that transformers wrote, or of that id on the hub.

    Weights are read from safetensors only, and no code of the model's author is run. Raises
    DiffusionNAGError where transformers is missing, and for what is no vision model;
    EnvironmentFailureError where the hub does not give it.
    """
    if importlib.util.find_spec("transformers") is None:
        raise DiffusionNAGError(
            f"the image encoder {source!r} needs transformers: pip install 'diffusionnag[vision]'"
        )
    is_folder = Path(source).is_dir()
    if not is_folder and not re.fullmatch(HUB_ID, source):
        raise DiffusionNAGError(
            f"no image encoder {source!r}: it is small, a folder that transformers wrote, or the id "
            "of a model on the Hugging Face hub, such as facebook/dinov2-small"
        )
    if is_folder and not (Path(source) / CONFIG_FILE).is_file():
        raise DiffusionNAGError(f"{source} holds no model: it has no {CONFIG_FILE}")
    import transformers
    from transformers.image_processing_base import ImageProcessingMixin

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        model, loading = transformers.AutoModel.from_pretrained(
            source, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # transformers and the hub's client raise errors of many kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if is_folder:
            raise DiffusionNAGError(
                f"{source} holds no model that can be read: {reason}"
            ) from error
        raise EnvironmentFailureError(
            f"the hub did not give the model {source}: {reason}"
        ) from error
    # The pooling layer, which many models lack, has no part in the codes; transformers draws it anew.
    missing = set(loading["missing_keys"])
    if any("pooler" not in key for key in missing):
        raise DiffusionNAGError(
            f"{source} lacks weights of its model: {', '.join(sorted(missing))}"
        )
    try:
        preprocessing, _ = ImageProcessingMixin.get_image_processor_dict(source)
    except OSError:
        preprocessing = {}
    try:
        vision, name = getattr(model, "vision_model", model), _sum_of_weights(model, missing)
        return PretrainedEncoder(vision, name, source, preprocessing)
    except (AttributeError, TypeError, ValueError) as error:
        raise DiffusionNAGError(f"{source} is no model of images; name a vision model") from error


def _sum_of_weights(model: nn.Module, missing: Collection[str]) -> str:
    """Return the SHA-256 of the names and values of all weights that are not `missing`."""
    total = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        if name in missing:
            continue
        total.update(name.encode())
        total.update(weight.flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _input_size(model: nn.Module, preprocessing: dict[str, Any]) -> int:
    """Return the side of the square images that a model was trained on, in pixels."""
    known = preprocessing.get("crop_size") or preprocessing.get("size") or {}
    size = known.get("height") or known.get("shortest_edge") if isinstance(known, dict) else known
    return int(size or getattr(model.config, "image_size", None) or USUAL_SIZE)
