"""What an untrained network tells of how well it will learn: one small function for each proxy.

Each takes a freshly initialised network and one batch, and returns a number, more being better as
published. Sources: Abdelfattah et al. 2021 (zero-cost proxies), Mellor et al. 2021 (nwot, and jacov
in its first version), Tanaka et al. 2020 (synflow), Lee et al. 2019 (snip), Wang et al. 2020 (grasp),
Turner et al. 2020 (fisher).
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffusionnag.networks import flop_counter

LEARNT = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
"""Layers whose weights the gradients' proxies look at."""
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)
TINY = 1e-5
ZEN_STEP = 1e-2
"""Noise that is added to an input, of deviation 1."""


@dataclass(frozen=True)
class Batch:
    """One batch of a task, and the loss of a network's outputs on it."""

    inputs: Tensor
    """`batch x ...`, floating-point numbers or tokens."""
    loss: Callable[[Tensor], Tensor]
    """The mean loss of outputs for these inputs."""


def nwot(network: nn.Module, batch: Batch) -> float:
    """Return the log-determinant of how alike inputs are by which rectifiers they switch on.

    NaN for a network without rectifiers (Mellor et al. 2021, equation 2).
    """
    alike = torch.zeros(len(batch.inputs), len(batch.inputs), dtype=torch.float64)

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        on = (output.detach() > 0).flatten(1).float()
        nonlocal alike
        alike = alike + (on @ on.T + (1 - on) @ (1 - on).T).double().cpu()

    with torch.no_grad(), _hooked(network, (nn.ReLU, nn.ReLU6), count) as layers:
        network(batch.inputs)
    if not layers:
        return float("nan")
    return float(torch.linalg.slogdet(alike)[1])


def jacov(network: nn.Module, batch: Batch) -> float:
    """Return how little the Jacobians of different inputs are correlated (Mellor et al. 2021, v1).

    NaN where inputs are tokens, by which nothing can be derived.
    """
    if not batch.inputs.is_floating_point():
        return float("nan")
    inputs = batch.inputs.detach().requires_grad_()
    (jacobian,) = torch.autograd.grad(network(inputs).sum(), inputs)
    correlation = torch.corrcoef(jacobian.flatten(1).double())
    values = torch.linalg.eigvalsh(correlation) + TINY
    return float(-(values.log() + 1 / values).sum())


def synflow(network: nn.Module, batch: Batch) -> float:
    """Return the logarithm of the sum of weights times gradients, all weights made positive.

    The input is of ones, layers that normalise pass it on, and no data are seen (Tanaka et al.
    2020). The logarithm keeps deep networks finite and changes no order. NaN for tokens.
    """
    if not batch.inputs.is_floating_point():
        return float("nan")
    positive = copy.deepcopy(network).double().eval()
    for parameter in positive.parameters():
        parameter.data.abs_()
    with _hooked(positive, NORMS, lambda layer, inputs, output: inputs[0]):
        output = positive(torch.ones_like(batch.inputs[:1], dtype=torch.float64))
    weights = _weights(positive)
    total = _salience(weights, torch.autograd.grad(output.sum(), weights, allow_unused=True))
    return float(total.detach().clamp_min(torch.finfo(torch.float64).tiny).log())


def grad_norm(network: nn.Module, batch: Batch) -> float:
    """Return the sum of the norms of each layer's gradient of the loss."""
    return float(torch.stack([each.norm() for each in _gradients(network, batch)]).sum())


def snip(network: nn.Module, batch: Batch) -> float:
    """Return the sum of the magnitudes of weights times gradients (Lee et al. 2019)."""
    return float(_salience(_weights(network), _gradients(network, batch)).detach())


def plain(network: nn.Module, batch: Batch) -> float:
    """Return the sum of weights times gradients."""
    pairs = zip(_weights(network), _gradients(network, batch), strict=True)
    return float(torch.stack([(w.detach() * g).sum() for w, g in pairs]).sum())


def grasp(network: nn.Module, batch: Batch) -> float:
    """Return how much removing weights would lower the flow of gradients (Wang et al. 2020)."""
    weights = _weights(network)
    loss = batch.loss(network(batch.inputs))
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    flow = torch.stack([each.square().sum() for each in gradients if each is not None]).sum() / 2
    curvature = torch.autograd.grad(flow, weights, allow_unused=True)
    pairs = zip(weights, curvature, strict=True)
    return float(-torch.stack([(w.detach() * h).sum() for w, h in pairs if h is not None]).sum())


def fisher(network: nn.Module, batch: Batch) -> float:
    """Return the Fisher information of the channels of each layer's output (Turner et al. 2020)."""
    outputs: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output)

    with _hooked(network, LEARNT, keep):
        loss = batch.loss(network(batch.inputs))
    gradients = torch.autograd.grad(loss, outputs, allow_unused=True)
    total = 0.0
    for output, gradient in zip(outputs, gradients, strict=True):
        if gradient is not None:
            # Of an image's channel all places count together.
            channels = (output.detach() * gradient).unsqueeze(-1).flatten(2).sum(2)
            total += float(channels.square().mean(0).sum()) / 2
    return total


def l2_norm(network: nn.Module, batch: Batch) -> float:
    """Return the sum of the norms of each layer's weights, as they were initialised."""
    return float(torch.stack([each.detach().norm() for each in _weights(network)]).sum())


def zen(network: nn.Module, batch: Batch) -> float:
    """Return the Zen-score: how much the last features answer to noise (Lin et al. 2021).

    Weights and inputs are drawn from a normal distribution; each layer of batch normalisation adds
    the logarithm of the deviation that it takes away. NaN for tokens.
    """
    if not batch.inputs.is_floating_point():
        return float("nan")
    drawn = copy.deepcopy(network).train()
    for weight in _weights(drawn):
        nn.init.normal_(weight.data)
    features: list[Tensor] = []
    deviations: list[Tensor] = []

    def keep_features(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        features.append(inputs[0])

    def keep_deviation(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        axes = [axis for axis in range(inputs[0].dim()) if axis != 1]
        deviations.append(inputs[0].var(axes, correction=0).mean().add(TINY).sqrt())

    here = torch.randn_like(batch.inputs)
    with torch.no_grad(), _hooked(drawn, (nn.Linear,), keep_features):
        with _hooked(drawn, NORMS[:3], keep_deviation):
            drawn(here)
        drawn(here + ZEN_STEP * torch.randn_like(here))
    if not features:
        return float("nan")
    half = len(features) // 2
    change = (features[half - 1] - features[-1]).flatten(1).abs().sum(1).mean()
    return float(change.clamp_min(TINY**4).log() + sum(each.log() for each in deviations))


def params(network: nn.Module, batch: Batch) -> float:
    """Return the number of learnt weights, in millions."""
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def flops(network: nn.Module, batch: Batch) -> float:
    """Return the multiply-adds for one input, in millions."""
    with torch.no_grad(), flop_counter() as counter:
        network(batch.inputs)
    return counter.get_total_flops() / 2 / len(batch.inputs) / 1e6


PROXIES: dict[str, Callable[[nn.Module, Batch], float]] = {
    "nwot": nwot,
    "jacov": jacov,
    "synflow": synflow,
    "grad_norm": grad_norm,
    "snip": snip,
    "grasp": grasp,
    "fisher": fisher,
    "plain": plain,
    "l2_norm": l2_norm,
    "zen": zen,
    "params": params,
    "flops": flops,
}
"""Each proxy by name."""


@contextlib.contextmanager
def _hooked(
    network: nn.Module, kinds: tuple[type[nn.Module], ...], hook: Callable[..., Tensor | None]
) -> Iterator[list[nn.Module]]:
    """Call a hook after each layer of some kinds, for a while."""
    layers = [layer for layer in network.modules() if isinstance(layer, kinds)]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield layers
    finally:
        for handle in handles:
            handle.remove()


def _weights(network: nn.Module) -> list[Tensor]:
    return [
        layer.weight
        for layer in network.modules()
        if isinstance(layer, LEARNT) and layer.weight.requires_grad
    ]


def _gradients(network: nn.Module, batch: Batch) -> list[Tensor]:
    """Return the gradient of the loss for each layer's weights, zero where it does not depend on them."""
    weights = _weights(network)
    loss = batch.loss(network(batch.inputs))
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    return [
        torch.zeros_like(weight) if gradient is None else gradient
        for weight, gradient in zip(weights, gradients, strict=True)
    ]


def _salience(weights: list[Tensor], gradients: list[Tensor] | tuple[Tensor | None, ...]) -> Tensor:
    pairs = zip(weights, gradients, strict=True)
    return torch.stack([(w * g).abs().sum() for w, g in pairs if g is not None]).sum()
