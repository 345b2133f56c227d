"""Networks that begin with weights of another training, shared ones or their own."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from diffusionnag.artifacts.checkpoints import read_config
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks import OwnFit, TaskData, TrainedNetwork, build_network
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.supernets.inherited_metrics import recalibrate
from diffusionnag.supernets.trained_supernet import KIND, TrainedSupernet


def inherited(
    folder: Path, space: SearchSpace, architecture: Architecture, *, calibrated: bool = False
) -> TrainedNetwork:
    """Return the network of an architecture with the weights of a folder of `train` or `supernet`.

    Out of a supernet it comes with statistics of its batch norms that are not its own, unless they
    are `calibrated` on the supernet's data; imported weights, which name none, keep theirs. Raises
    DiffusionNAGError for a folder that holds neither, or another architecture, and data that are
    no longer there.
    """
    if read_config(folder).get("kind") == KIND:
        shared = TrainedSupernet.load(folder, space)
        data = shared.read_data() if calibrated and shared.source else None
        return shared.inherit(architecture, data)
    trained = TrainedNetwork.load(folder, space)
    if trained.architecture != architecture:
        raise DiffusionNAGError(f"{folder} holds the weights of another architecture")
    return trained


def tuned_for(trained: TrainedNetwork, data: TaskData | OwnFit) -> nn.Module:
    """Return a network for data with the weights of another one, all that fit; the last may not."""
    network = build_network(trained.space, trained.architecture, task=data.task)
    there = network.state_dict()
    fitting = {
        name: tensor
        for name, tensor in trained.network.state_dict().items()
        if name in there and there[name].shape == tensor.shape
    }
    network.load_state_dict(fitting, strict=False)
    if not isinstance(data, OwnFit):
        recalibrate(network, data)
    return network.train()
