"""Weights that the authors of Once-for-All published: `ofa_mbv3_*`, for the space mobilenetv3."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.spaces import ImageClassification, get_search_space
from diffusionnag.supernets.supernet import Supernet
from diffusionnag.supernets.trained_supernet import TrainedSupernet

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""By which its authors standardise images."""
OUTER = {
    "first_conv": "stem",
    "final_expand_layer": "head.0",
    "feature_mix_layer": "head.2",
    "classifier": "head.5",
}
PARTS = {"inverted_bottleneck": "expand", "depth_conv": "depthwise", "point_linear": "project"}
GATE = {"reduce": "layers.0", "expand": "layers.2"}
BLOCK = re.compile(r"blocks\.(\d+)\.(?:mobile_inverted_conv|conv)\.(\w+)\.(.+)")


def import_ofa_weights(path: Path) -> TrainedSupernet:
    """Return the supernet of a file of `ofa_mbv3_d234_e346_k357_w1.0` or `_w1.2`.

    The file is safetensors, or what `torch.save` wrote, of which no code is run: the state dict, or
    a dictionary that holds it as `state_dict`. Number of classes and width are those of the weights.
    Raises DiffusionNAGError for a file that holds other tensors. Source of the names: Cai et al.,
    "Once-for-All", ICLR 2020, https://github.com/mit-han-lab/once-for-all.
    """
    space = get_search_space("mobilenetv3")
    state = {_shared_name(name, space.nodes): each for name, each in _read_state(path).items()}
    if "stem.0.weight" not in state or "head.5.bias" not in state:
        raise DiffusionNAGError(f"{path} holds no weights of Once-for-All's MobileNetV3")
    classes = len(state["head.5.bias"])
    # In the order of the widths, so that the first that fits is the narrowest.
    supernets = (
        Supernet(space, ImageClassification(classes, resolution=224, width=width))
        for width in space.networks.widths
    )
    supernet = next((each for each in supernets if _fits(each, state)), None)
    if supernet is None:
        raise DiffusionNAGError(f"{path} is of a width that mobilenetv3 does not have")
    with torch.no_grad():
        for name, tensor in supernet.tensors.by_name().items():
            if name not in state and name.endswith("num_batches_tracked"):
                continue
            if name not in state:
                raise DiffusionNAGError(f"{path} lacks {name}; it should be all of `ofa_mbv3_*`")
            if state[name].numel() != tensor.numel():
                raise DiffusionNAGError(
                    f"{path} has {name} of {list(state[name].shape)}, not {list(tensor.shape)}"
                )
            # A gate's layers are convolutions of one pixel there, and linear here.
            tensor.copy_(state[name].reshape(tensor.shape))
    names = [str(number) for number in range(classes)]
    preparation = {"classes": names, "mean": list(MEAN), "std": list(DEVIATION)}
    return TrainedSupernet(supernet.eval(), preparation)


def _fits(supernet: Supernet, state: Mapping[str, Tensor]) -> bool:
    return supernet.tensors.by_name()["stem.0.weight"].shape == state["stem.0.weight"].shape


def _shared_name(name: str, slots: tuple[str, ...]) -> str:
    """Return the name of a tensor in our supernet, nothing for one that it does not have."""
    block = BLOCK.fullmatch(name)
    if block is None:
        first, _, rest = name.partition(".")
        return f"{OUTER[first]}.{_layer(first, rest)}" if first in OUTER else ""
    number, part, rest = int(block[1]), block[2], block[3]
    slot = "first" if number == 0 else slots[number - 1] if number <= len(slots) else ""
    if not slot or part not in PARTS:
        return ""
    if gate := re.fullmatch(r"se\.fc\.(reduce|expand)\.(?:conv\.)?(\w+)", rest):
        return f"{slot}.gate.{GATE[gate[1]]}.{gate[2]}"
    if matrix := re.fullmatch(r"conv\.(\dto\d)_matrix", rest):
        return f"{slot}.{PARTS[part]}.0.weight_{matrix[1]}"
    return f"{slot}.{PARTS[part]}.{_layer(part, rest)}"


def _layer(owner: str, rest: str) -> str:
    """Return the number of a layer in its block and its tensor, such as `1.bias` for `bn.bn.bias`."""
    kind, last = rest.partition(".")[0], rest.rpartition(".")[2]
    if owner in ("feature_mix_layer", "classifier"):
        return last
    return f"{'1' if kind == 'bn' else '0'}.{last}"


def _read_state(path: Path) -> Mapping[str, Tensor]:
    try:
        content: Any
        if path.suffix == ".safetensors":
            content = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DiffusionNAGError(f"no file {path}") from error
    except OSError as error:
        raise EnvironmentFailureError(f"cannot read {path}: {error.strerror or error}") from error
    except (
        *(pickle.UnpicklingError, safetensors.SafetensorError),
        *(RuntimeError, ValueError, EOFError, KeyError),
    ) as error:
        raise DiffusionNAGError(
            f"{path} is damaged, or holds more than weights ({type(error).__name__})"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise DiffusionNAGError(f"{path} holds no weights by name")
    return {str(name): each for name, each in content.items() if isinstance(each, Tensor)}
