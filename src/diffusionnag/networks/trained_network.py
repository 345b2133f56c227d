"""Trained networks as model folders: safetensors and JSON, checked when they are read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from diffusionnag._devices import torch_defaults
from diffusionnag.artifacts.checkpoints import (
    building,
    open_checkpoint,
    read_weights,
    space_entries,
    write_checkpoint,
)
from diffusionnag.artifacts.model_cards import About, model_card
from diffusionnag.artifacts.schema import from_json
from diffusionnag.networks.building import build_network
from diffusionnag.spaces import Architecture, SearchSpace, Task, task_as_json, task_from_json

KIND = "network"


@dataclass
class TrainedNetwork:
    """A network with its weights, what it takes and returns, and how inputs are prepared.

    The `preparation` of images is RGB from 0 to 1, minus `mean`, over `std`, each three numbers; of a
    table its `numbers` (mean and deviation of each column) and `categories`; of texts their `tokens`.
    `classes` are the names of those told apart; a number told is times `target_std`, plus
    `target_mean`.
    """

    space: SearchSpace
    architecture: Architecture
    network: nn.Module
    task: Task
    preparation: dict[str, Any]
    about: About = field(default_factory=About)

    def save(self, folder: Path) -> None:
        """Write the network with its card; raises EnvironmentFailureError where that fails."""
        text = self.space.format(self.architecture)
        task = task_as_json(self.task)
        config = {
            "kind": KIND,
            **space_entries(self.space),
            "architecture": text,
            "task": task,
            "preparation": self.preparation,
            "about": asdict(self.about),
        }
        card = model_card(
            title=f"A {self.space.name} network",
            summary=f"Trained for {self.task.kind.replace('_', ' ')}.",
            usage="from diffusionnag.networks import TrainedNetwork\n\n"
            f'network = TrainedNetwork.load("{folder.name}").network',
            facts={
                "search space": self.space.name,
                "architecture": f"`{text}`".replace("|", "\\|"),
                **{name.replace("_", " "): value for name, value in task.items() if name != "kind"},
            },
            about=self.about,
        )
        write_checkpoint(folder, config, self.network.state_dict(), card)

    @classmethod
    @torch_defaults()
    def load(cls, folder: str | Path, search_space: SearchSpace | None = None) -> TrainedNetwork:
        """Return the network of a folder, in evaluation mode.

        Raises DiffusionNAGError where the folder holds none, or is damaged.
        """
        config, space = open_checkpoint(Path(folder), KIND, search_space)
        with building(Path(folder)):
            text = from_json(str, config["architecture"], "architecture")
            preparation = from_json(dict[str, Any], config["preparation"], "preparation")
            task = task_from_json(from_json(dict[str, Any], config["task"], "task"))
            architecture = space.parse(text)
            network = build_network(space, architecture, task=task)
            network.load_state_dict(read_weights(Path(folder), config))
        return cls(space, architecture, network.eval(), task, preparation, config["about"])
