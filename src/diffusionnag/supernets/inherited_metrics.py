"""How good a network is with the weights that it inherits, without any training of its own."""

from __future__ import annotations

import torch
from torch import nn

from diffusionnag._devices import seeded, torch_defaults
from diffusionnag.networks import Augmentation, TaskData
from diffusionnag.spaces import Architecture
from diffusionnag.supernets.supernet import Supernet

CALIBRATION_EXAMPLES, CALIBRATION_BATCH = 512, 256


def evaluate_inherited(
    supernet: Supernet, architecture: Architecture, data: TaskData
) -> dict[str, float]:
    """Return the metrics of a network on what is held out, its batch norms recalibrated."""
    device = next(supernet.parameters()).device
    network = supernet.extract(architecture).to(device)
    recalibrate(network, data)
    with torch.inference_mode():
        return data.evaluate(network, device)


@torch.no_grad()
@torch_defaults()
def recalibrate(network: nn.Module, data: TaskData) -> None:
    """Give the batch norms of a network the mean and the variance of what goes through them.

    That of 512 examples to train on, the same for each network: those that weights were shared
    with left the statistics of others (Yu & Huang, ICCV 2019). The network is in evaluation mode
    afterwards.
    """
    network.eval()
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average over all batches
        norm.train()
    device = next(network.parameters()).device
    with seeded(0):
        chosen = torch.randperm(data.count)[:CALIBRATION_EXAMPLES]
        for part in chosen.tensor_split(-(-len(chosen) // CALIBRATION_BATCH)):
            network(data.batch(part, Augmentation(), device)[0])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
