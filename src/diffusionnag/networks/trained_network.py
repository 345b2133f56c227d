"""Trained networks as model folders: safetensors and JSON, checked when they are read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import nn

from diffusionnag._devices import torch_defaults
from diffusionnag.artifacts.checkpoints import (
    building,
    open_checkpoint,
    read_weights,
    write_checkpoint,
)
from diffusionnag.artifacts.model_cards import About, model_card
from diffusionnag.artifacts.schema import from_json
from diffusionnag.networks.building import build_network
from diffusionnag.spaces import Architecture, SearchSpace

KIND = "network"


@dataclass
class TrainedNetwork:
    """A network with its weights, and what images it takes.

    Images are RGB from 0 to 1, `resolution` pixels high and wide, minus `mean`, over `std`, each
    three numbers. `classes` are the names of the classes that it tells apart.
    """

    space: SearchSpace
    architecture: Architecture
    network: nn.Module
    classes: tuple[str, ...]
    resolution: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    width: float = 1.0
    about: About = field(default_factory=About)

    def save(self, folder: Path) -> None:
        """Write the network with its card; raises EnvironmentFailureError where that fails."""
        text = self.space.format(self.architecture)
        config = {
            "kind": KIND,
            "search_space": self.space.name,
            "nodes": list(self.space.nodes),
            "operations": list(self.space.operations),
            "architecture": text,
            "classes": list(self.classes),
            "resolution": self.resolution,
            "mean": list(self.mean),
            "std": list(self.std),
            "width": self.width,
            "about": asdict(self.about),
        }
        card = model_card(
            title=f"A {self.space.name} network",
            summary=f"Tells {len(self.classes):,} classes of images apart.",
            usage="from diffusionnag.networks import TrainedNetwork\n\n"
            f'network = TrainedNetwork.load("{folder.name}").network',
            facts={
                "search space": self.space.name,
                "architecture": f"`{text}`".replace("|", "\\|"),
                "resolution": self.resolution,
                "width": self.width,
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
            classes = from_json(tuple[str, ...], config["classes"], "classes")
            mean, std = (
                from_json(tuple[float, ...], config[name], name) for name in ("mean", "std")
            )
            resolution = from_json(int, config["resolution"], "resolution")
            width = from_json(float, config["width"], "width")
            architecture = space.parse(text)
            network = build_network(
                space, architecture, classes=len(classes), resolution=resolution, width=width
            )
            network.load_state_dict(read_weights(Path(folder), config))
        return cls(
            space,
            architecture,
            network.eval(),
            classes,
            resolution,
            mean,
            std,
            width,
            config["about"],
        )
