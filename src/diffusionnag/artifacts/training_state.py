"""The state of an unfinished training as one file, checked when it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from diffusionnag._files import write_atomically
from diffusionnag.errors import DiffusionNAGError

STATE_FILE = "training_state.safetensors"


def write_state(
    path: Path, tensors: Mapping[str, Tensor], identity: Mapping[str, Any], counters: Any
) -> None:
    """Write all that later steps depend on into one file, atomically.

    `identity` holds the settings that a run going on from it must share, `counters` what else it
    needs; both are JSON.
    """
    kept = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    metadata = {"run": json.dumps(identity), "counters": json.dumps(counters)}
    metadata["sha256"] = _state_sum(kept, metadata)
    with write_atomically(path) as temporary:
        # `save_file` would write a temporary file of its own, which nobody removes after a kill.
        temporary.write_bytes(safetensors.torch.save(kept, metadata))


def read_state(path: Path, identity: Mapping[str, Any]) -> tuple[dict[str, Tensor], Any]:
    """Return the tensors and the counters that `write_state` wrote.

    Raises DiffusionNAGError when the file is damaged or belongs to a run of other settings.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        intact = metadata.pop("sha256") == _state_sum(tensors, metadata)
        settings, counters = json.loads(metadata["run"]), json.loads(metadata["counters"])
    except (safetensors.SafetensorError, AttributeError, KeyError, ValueError) as error:
        raise _damaged(path) from error
    if not intact:
        raise _damaged(path)
    if settings != json.loads(json.dumps(identity)):
        raise DiffusionNAGError(
            f"{path.parent} holds an unfinished training with other settings; use the same "
            "settings to go on with it, or another folder"
        )
    return tensors, counters


def remove_state(folder: Path) -> None:
    """Remove the state of a training that has ended, and what kills left of writing it."""
    for path in (folder / STATE_FILE, *folder.glob(f".{Path(STATE_FILE).stem}-*")):
        path.unlink(missing_ok=True)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the tensors that an optimiser keeps, as `optimiser.INDEX.NAME`."""
    return {
        f"optimiser.{index}.{name}": value
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back the tensors that `optimiser_tensors` returned."""
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in under(tensors, "optimiser.").items():
        index, _, key = name.partition(".")
        states.setdefault(int(index), {})[key] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _state_sum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    total = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].numpy().tobytes())
    return total.hexdigest()


def _damaged(path: Path) -> DiffusionNAGError:
    return DiffusionNAGError(f"{path} is damaged; delete it to start this training again")
