"""Model folders: `config.json`, `model.safetensors` and a model card, checked when they are read."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from diffusionnag._files import prepare_folder, read_file, read_json, write_atomically
from diffusionnag.artifacts.model_cards import About
from diffusionnag.artifacts.schema import from_json
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.spaces import SearchSpace, get_search_space

if TYPE_CHECKING:
    from torch import Tensor

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"
SHIPPED_FOLDER = Path(str(files("diffusionnag"))) / "checkpoints"
"""The models inside the package, one folder a kind."""
JOINT_FOLDER = "joint"
"""Below the predictors: one folder for each model that predicts many properties of a space."""
HUB_ID = r"[\w.-]+/[\w.-]+"
_WRONG_VALUES = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, RuntimeError),
    *(TypeError, ValueError),
)
FEW_NAMES = 6
"""Shipped models that an error message names one by one; of more, the nearest."""


def checkpoint_name(search_space: str, property_name: str) -> str:
    """Return the name of a shipped predictor; `:` in a property is no character for a folder."""
    return f"{search_space}-{property_name.replace(':', '_')}"


def shipped_folder(kind: str, name: str) -> Path | None:
    """Return the folder of a checkpoint inside the package, `kind` being its subfolder, or None.

    Predictors of many properties of a space may share one.
    """
    folder = SHIPPED_FOLDER / kind / name
    if (folder / CONFIG_FILE).is_file():
        return folder
    shared = _joint(SHIPPED_FOLDER / kind / JOINT_FOLDER)
    return next((folder for folder, config in shared if name in _joint_names(config)), None)


def own_folder(kind: str, name: str) -> Path:
    """Return the folder, there or not, of a model that is about this machine."""
    return platformdirs.user_data_path("diffusionnag") / kind / name


def shipped_names(kind: str, search_space: str | None = None) -> list[str]:
    """Return the names of the checkpoints of a kind inside the package, of one space or of all."""
    joint = [
        name
        for _, config in _joint(SHIPPED_FOLDER / kind / JOINT_FOLDER)
        if search_space in (None, config["search_space"])
        for name in _joint_names(config)
    ]
    return sorted([*_names(SHIPPED_FOLDER / kind, search_space), *joint])


@cache
def _joint(parent: Path) -> tuple[tuple[Path, dict[str, Any]], ...]:
    """Return folder and config of each model inside the package that predicts many properties."""
    folders = sorted(path.parent for path in parent.glob(f"*/{CONFIG_FILE}"))
    return tuple((folder, read_config(folder)) for folder in folders)


def _joint_names(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the properties of a model that predicts many, by the names of its predictors."""
    return {checkpoint_name(config["search_space"], each): each for each in config["properties"]}


def own_names(kind: str, search_space: str) -> list[str]:
    """Return the names of the models of a kind that are about this machine, of one space."""
    return _names(own_folder(kind, ""), search_space)


def _names(parent: Path, search_space: str | None) -> list[str]:
    folders = sorted(path.parent for path in parent.glob(f"*/{CONFIG_FILE}"))
    if search_space is None:
        return [folder.name for folder in folders]
    return [
        folder.name for folder in folders if read_config(folder)["search_space"] == search_space
    ]


def installed_folder(kind: str, name: str) -> Path | None:
    """Return the folder of a model inside the package, or else of one about this machine, or None."""
    own = own_folder(kind, name)
    return shipped_folder(kind, name) or (own if (own / CONFIG_FILE).is_file() else None)


def predicted_property(name: str) -> str:
    """Return the property that a predictor of the package, or of this machine, predicts."""
    folder = installed_folder("predictors", name)
    assert folder is not None
    return property_of(read_config(folder), name)


def property_of(config: Mapping[str, Any], name: str) -> str:
    """Return what a predictor of that name predicts, by its config, which it may share with others."""
    return str(config["property"] if "property" in config else _joint_names(config)[name])


def locate(kind: str, name: str, **hub_options: Any) -> Path:
    """Return the folder of a model: one inside the package, one on disk, or one on the hub.

    A folder that is called like a shipped model is reached as `./NAME`.

    `hub_options` go to `huggingface_hub.snapshot_download`. Raises DiffusionNAGError for a name
    that is none of these, EnvironmentFailureError when the hub does not give it.
    """
    shipped = shipped_folder(kind, name)
    if shipped is not None:
        return shipped
    if Path(name).is_dir():
        return Path(name)
    if not re.fullmatch(HUB_ID, name):
        raise DiffusionNAGError(
            f"no model {name!r} among the shipped {kind} ({_nearest_names(kind, name)}), and no "
            f"folder of that name{_where_latencies_come_from(name)}"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, **hub_options))
    except Exception as error:  # the hub's client raises errors of several unrelated libraries
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise EnvironmentFailureError(
            f"there is no folder {name!r}, and the Hugging Face hub did not give a model of that "
            f"name: {reason}"
        ) from error


def _where_latencies_come_from(name: str) -> str:
    """Return a hint for a name that may be meant for a latency of this machine."""
    return "; `diffusionnag profile` measures this machine" if name.startswith("latency:") else ""


def _nearest_names(kind: str, name: str) -> str:
    known = shipped_names(kind)
    if len(known) <= FEW_NAMES:
        return ", ".join(known)
    tails = {shipped.split("-", 1)[-1]: shipped for shipped in known}
    close = difflib.get_close_matches(name, [*known, *tails], n=3)
    nearest = ", ".join(dict.fromkeys(tails.get(match, match) for match in close))
    return f"{f'nearest: {nearest}; ' if close else ''}`diffusionnag info SPACE` lists them"


def space_entries(space: SearchSpace) -> dict[str, Any]:
    """Return what a config says of its search space, and `open_checkpoint` compares with it."""
    return {
        "search_space": space.name,
        "nodes": list(space.nodes),
        "operations": list(space.operations),
    }


def write_checkpoint(
    folder: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor], card: str
) -> None:
    """Write a model folder; its config then carries SHA-256 sums of the weights and of itself.

    Raises EnvironmentFailureError when the folder cannot be written.
    """
    prepare_folder(folder)
    import safetensors.torch

    data = safetensors.torch.save({name: tensor.contiguous() for name, tensor in weights.items()})
    sums = {"weights": hashlib.sha256(data).hexdigest(), "config": _config_sum(config)}
    text = json.dumps({**config, "sha256": sums}, indent=2) + "\n"
    contents = {WEIGHTS_FILE: data, CONFIG_FILE: text.encode(), CARD_FILE: card.encode()}
    for name, content in contents.items():
        with write_atomically(folder / name) as temporary:
            temporary.write_bytes(content)


def read_config(folder: Path) -> dict[str, Any]:
    """Return a model folder's config; raises DiffusionNAGError when it is missing or damaged."""
    path = folder / CONFIG_FILE
    try:
        config = read_json(path)
        sums = config.pop("sha256")
        intact = sums["config"] == _config_sum(config) and isinstance(sums["weights"], str)
    except FileNotFoundError as error:
        raise DiffusionNAGError(f"{folder} is no checkpoint: it has no {CONFIG_FILE}") from error
    except OSError as error:
        raise EnvironmentFailureError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path) from error
    if not intact:
        raise _damaged(path)
    return {**config, "sha256": sums}


def read_weights(folder: Path, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a model folder's tensors.

    Raises DiffusionNAGError when they are missing or damaged, or hold something that is no number.
    """
    import safetensors.torch

    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise DiffusionNAGError(f"{folder} is no checkpoint: it has no {WEIGHTS_FILE}")
    data = read_file(path)
    if hashlib.sha256(data).hexdigest() != config["sha256"]["weights"]:
        raise _damaged(path)
    try:
        weights = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error
    for name, weight in weights.items():
        if weight.is_floating_point() and not weight.isfinite().all():
            raise DiffusionNAGError(f"{path}: {name[:50]} is not finite; train the model again")
    return weights


@dataclass(frozen=True)
class _Common:
    """What the config of every model of a search space says."""

    search_space: str
    nodes: list[str]
    operations: list[str]
    about: About


def open_checkpoint(
    folder: Path, kind: str, search_space: SearchSpace | None
) -> tuple[dict[str, Any], SearchSpace]:
    """Return the config of a checkpoint, and its search space: the given one, or by its name.

    `about` is an `About` there. Raises DiffusionNAGError unless the folder holds a model of that
    kind whose vocabulary is the space's own.
    """
    config = read_config(folder)
    if config.get("kind") != kind:
        raise DiffusionNAGError(f"{folder} holds no {kind.replace('_', ' ')}")
    known = {field.name: config[field.name] for field in fields(_Common) if field.name in config}
    common: _Common = from_json(_Common, known, f"{folder / CONFIG_FILE}: it")
    if search_space is None and re.search(r"[./\\:]", common.search_space):
        # Only the user, never a file, says which code is run.
        raise DiffusionNAGError(f"{folder} is of a search space of somebody's own; name it")
    space = search_space or get_search_space(common.search_space)
    if common.nodes != list(space.nodes) or common.operations != list(space.operations):
        raise DiffusionNAGError(
            f"{folder} was trained for the search space {common.search_space!r}, which does not "
            f"fit {space.name!r}"
        )
    return {**config, "about": common.about}, space


@contextmanager
def building(folder: Path) -> Iterator[None]:
    """Tell of a model that cannot be built from its config and weights in one line.

    Raises DiffusionNAGError for what torch and the model's own code raise at wrong values.
    """
    try:
        yield
    except _WRONG_VALUES as error:
        reason = next(iter(str(error).strip().splitlines()), "")[:200] or type(error).__name__
        raise DiffusionNAGError(
            f"{folder} holds a {CONFIG_FILE} that does not fit its weights ({reason}); fetch or train "
            "it again"
        ) from error


def _config_sum(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path) -> DiffusionNAGError:
    return DiffusionNAGError(
        f"{path} is damaged (truncated, or changed since it was written); fetch or train it again"
    )
