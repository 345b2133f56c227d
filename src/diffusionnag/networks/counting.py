"""Parameters and multiply-accumulate operations of a built network, counted layer by layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffusionnag.networks.layers import GlobalPool
from diffusionnag.spaces.cost import Cost, Counter


def count_network(network: nn.Module, resolution: int, convention: Counter) -> Cost:
    """Return the parameters of a network, and its MACs for one image of `resolution` pixels.

    The MACs are counted while an image goes through, under a benchmark's convention.
    """
    macs: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        macs.append(_layer_macs(layer, inputs[0], output, convention))

    handles = [layer.register_forward_hook(count) for layer in network.modules()]
    training = network.training
    try:
        parameter = next(network.parameters())
        image = torch.zeros(1, 3, resolution, resolution, device=parameter.device)
        with torch.inference_mode():
            network.eval()(image)
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return Cost(sum(parameter.numel() for parameter in network.parameters()), sum(macs))


def _layer_macs(layer: nn.Module, x: Tensor, output: Tensor, convention: Counter) -> int:
    if isinstance(layer, nn.Conv2d):
        cost = convention.convolution(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size[0],
            output.shape[-1],
            groups=layer.groups,
            bias=layer.bias is not None,
            normalised=False,
        )
    elif isinstance(layer, nn.Linear):
        cost = convention.linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
    elif isinstance(layer, nn.BatchNorm2d):
        cost = convention.batch_norm(layer.num_features, output.shape[-1])
    elif isinstance(layer, GlobalPool):
        cost = convention.global_pool(x.shape[1], x.shape[-1])
    else:
        return 0
    return cost.macs
