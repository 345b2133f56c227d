"""Supernets as model folders, and the networks that inherit their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks import OwnFit, TaskData, TrainedNetwork, load_data
from diffusionnag.spaces import Architecture, SearchSpace, Task, task_as_json, task_from_json
from diffusionnag.supernets.inherited_metrics import evaluate_inherited, recalibrate
from diffusionnag.supernets.supernet import Supernet

KIND = "supernet"


@dataclass
class TrainedSupernet:
    """A supernet with what it was trained on.

    `source` holds the arguments by which `load_data` reads its data, none for imported weights;
    `preparation` is that of `TrainedNetwork`.
    """

    supernet: Supernet
    preparation: dict[str, Any]
    source: dict[str, Any] = field(default_factory=dict)
    about: About = field(default_factory=About)

    @property
    def space(self) -> SearchSpace:
        """The space whose networks share the weights."""
        return self.supernet.space

    @property
    def task(self) -> Task:
        """What the networks take and return."""
        return self.supernet.task

    def save(self, folder: Path) -> None:
        """Write the supernet with its card; raises EnvironmentFailureError where that fails."""
        task = task_as_json(self.task)
        config = {
            "kind": KIND,
            **space_entries(self.space),
            "task": task,
            "preparation": self.preparation,
            "source": self.source,
            "about": asdict(self.about),
        }
        card = model_card(
            title=f"A supernet of {self.space.name}",
            summary=f"Shared weights of all networks, for {self.task.kind.replace('_', ' ')}.",
            usage="from diffusionnag.supernets import TrainedSupernet\n\n"
            f'supernet = TrainedSupernet.load("{folder.name}")\n'
            f'network = supernet.inherit(supernet.space.parse("...")).network',
            facts={
                "search space": self.space.name,
                **{name.replace("_", " "): value for name, value in task.items() if name != "kind"},
            },
            about=self.about,
        )
        write_checkpoint(folder, config, self.supernet.state_dict(), card)

    @classmethod
    @torch_defaults()
    def load(cls, folder: str | Path, search_space: SearchSpace | None = None) -> TrainedSupernet:
        """Return the supernet of a folder; raises DiffusionNAGError where it holds none."""
        config, space = open_checkpoint(Path(folder), KIND, search_space)
        with building(Path(folder)):
            preparation = from_json(dict[str, Any], config["preparation"], "preparation")
            source = from_json(dict[str, Any], config["source"], "source")
            task = task_from_json(from_json(dict[str, Any], config["task"], "task"))
            supernet = Supernet(space, task)
            supernet.load_state_dict(read_weights(Path(folder), config))
        return cls(supernet.eval(), preparation, source, config["about"])

    def read_data(self, **replaced: Any) -> TaskData:
        """Return the data that it was trained on, read again, or others named by arguments.

        Raises DiffusionNAGError where they are no longer there, and for imported weights, which name
        none.
        """
        source = self.source | {
            name: value for name, value in replaced.items() if value is not None
        }
        if "data" not in source:
            raise DiffusionNAGError("these weights name no data; give some")
        known: Mapping[str, Any] = task_as_json(self.task)
        chosen = {
            name: known[name]
            for name in ("resolution", "width", "cells", "context")
            if name in known
        }
        data = load_data(space=self.space, **source, **chosen)
        if isinstance(data, OwnFit) or data.task != self.task:
            raise DiffusionNAGError(f"{source['data']} is for another task than these weights")
        return data

    def evaluate(self, architecture: Architecture, data: TaskData) -> dict[str, float]:
        """Return the metrics of a network on what is held out, with its inherited weights."""
        return evaluate_inherited(self.supernet, architecture, data)

    def inherit(self, architecture: Architecture, data: TaskData | None = None) -> TrainedNetwork:
        """Return the network of an architecture with its weights, recalibrated where there are data."""
        network = self.supernet.extract(architecture)
        if data is not None:
            recalibrate(network, data)
        return TrainedNetwork(
            self.space, architecture, network, self.task, self.preparation, self.about
        )
