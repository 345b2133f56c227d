"""Parameters and multiply-accumulate operations of a built network, counted layer by layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffusionnag._devices import torch_defaults
from diffusionnag.spaces import Cost, Counter
from diffusionnag.spaces.cost import WEIGHTS_ONLY
from diffusionnag.spaces.layers import GlobalPool


@torch_defaults()
def count_network(network: nn.Module, resolution: int, convention: Counter = WEIGHTS_ONLY) -> Cost:
    """Return the parameters of a network, and its MACs for one image of `resolution` pixels.

    The MACs are counted while an image goes through: those of convolutions and linear layers.
    Benchmarks add to that what `space.networks.convention` states.

        >>> space = get_search_space("mobilenetv3")
        >>> smallest = space.parse("|".join(["3-3,3-3,none,none"] * 5))
        >>> count_network(build_network(space, smallest), 224)
        Cost(parameters=3410792, macs=121278672)
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
