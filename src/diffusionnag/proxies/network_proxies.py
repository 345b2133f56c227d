"""What an untrained network tells of how well it will learn: one small function for each proxy.

Each takes a freshly initialised network with one batch, and returns a number, more being better as
published. Sources: Abdelfattah et al. 2021 (zero-cost proxies), Mellor et al. 2021 (nwot, and jacov
in its first version), Tanaka et al. 2020 (synflow), Lee et al. 2019 (snip), Wang et al. 2020 (grasp),
Turner et al. 2020 (fisher), Lin et al. 2021 (zen).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from diffusionnag.networks import flop_counter
from diffusionnag.proxies.az_nas import expressivity, progressivity, trainability
from diffusionnag.proxies.untrained import Untrained, hooked, learnt_weights

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)
TINY = 1e-5
ZEN_STEP = 1e-2
"""Noise that is added to an input, of deviation 1."""


def nwot(untrained: Untrained) -> float:
    """Return the log-determinant of how alike inputs are by which rectifiers they switch on.

    NaN for a network without rectifiers (Mellor et al. 2021, equation 2).
    """
    switched_on = untrained.forward_pass.switched_on
    if not switched_on:
        return float("nan")
    alike = torch.zeros(len(untrained.inputs), len(untrained.inputs), dtype=torch.float64)
    for rectifier in switched_on:
        on = rectifier.flatten(1).float()
        each = on.sum(1)
        # Two inputs agree wherever both switch on or neither does.
        agreed = on.shape[1] + 2 * on @ on.T - each[:, None] - each
        alike += agreed.double().cpu()
    return float(torch.linalg.slogdet(alike)[1])


def jacov(untrained: Untrained) -> float:
    """Return how little the Jacobians of different inputs are correlated (Mellor et al. 2021, v1).

    NaN where inputs are tokens, by which nothing can be derived.
    """
    if untrained.takes_tokens:
        return float("nan")
    passed = untrained.forward_pass
    (jacobian,) = torch.autograd.grad(passed.outputs.sum(), passed.inputs, retain_graph=True)
    correlation = torch.corrcoef(jacobian.flatten(1).double())
    values = torch.linalg.eigvalsh(correlation) + TINY
    return float(-(values.log() + 1 / values).sum())


def synflow(untrained: Untrained) -> float:
    """Return the logarithm of the sum of weights times gradients, all weights made positive.

    The input is of ones, layers that normalise pass it on, and no data are seen (Tanaka et al.
    2020). The logarithm keeps deep networks finite and changes no order. NaN for tokens.
    """
    if untrained.takes_tokens:
        return float("nan")
    positive = copy.deepcopy(untrained.pristine).double().eval()
    for parameter in positive.parameters():
        parameter.data.abs_()
    with hooked(positive, NORMS, lambda layer, inputs, output: inputs[0]):
        output = positive(torch.ones_like(untrained.inputs[:1], dtype=torch.float64))
    weights = learnt_weights(positive)
    total = _salience(weights, torch.autograd.grad(output.sum(), weights, allow_unused=True))
    return float(total.detach().clamp_min(torch.finfo(torch.float64).tiny).log())


def grad_norm(untrained: Untrained) -> float:
    """Return the sum of the norms of each layer's gradient of the loss."""
    return float(torch.stack([each.norm() for each in untrained.first_order.gradients]).sum())


def snip(untrained: Untrained) -> float:
    """Return the sum of the magnitudes of weights times gradients (Lee et al. 2019)."""
    return float(_salience(untrained.weights, untrained.first_order.gradients).detach())


def plain(untrained: Untrained) -> float:
    """Return the sum of weights times gradients."""
    pairs = zip(untrained.weights, untrained.first_order.gradients, strict=True)
    return float(torch.stack([(w.detach() * g).sum() for w, g in pairs]).sum())


def grasp(untrained: Untrained) -> float:
    """Return how much removing weights would lower the flow of gradients (Wang et al. 2020)."""
    weights = untrained.weights
    loss = untrained.loss(untrained.forward_pass.outputs)
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    flow = torch.stack([each.square().sum() for each in gradients if each is not None]).sum() / 2
    curvature = torch.autograd.grad(flow, weights, retain_graph=True, allow_unused=True)
    pairs = zip(weights, curvature, strict=True)
    return float(-torch.stack([(w.detach() * h).sum() for w, h in pairs if h is not None]).sum())


def fisher(untrained: Untrained) -> float:
    """Return the Fisher information of the channels of each layer's output (Turner et al. 2020).

    A channel counts as often as it has weights, as in Abdelfattah et al. 2021.
    """
    return untrained.first_order.fisher


def l2_norm(untrained: Untrained) -> float:
    """Return the sum of the norms of each layer's weights, as they were initialised."""
    return float(torch.stack([each.detach().norm() for each in untrained.weights]).sum())


def zen(untrained: Untrained) -> float:
    """Return the Zen-score: how much the last features answer to noise (Lin et al. 2021).

    Weights and inputs are drawn from a normal distribution; each layer of batch normalisation adds
    the logarithm of the deviation that it takes away. NaN for tokens.
    """
    if untrained.takes_tokens:
        return float("nan")
    drawn = copy.deepcopy(untrained.pristine).train()
    for weight in learnt_weights(drawn):
        nn.init.normal_(weight.data)
    features: list[Tensor] = []
    deviations: list[Tensor] = []

    def keep_features(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        features.append(inputs[0])

    def keep_deviation(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # Channel by channel: over axes that are not last, torch takes five times as long.
        channels = inputs[0].flatten(2) if inputs[0].dim() > 2 else inputs[0][..., None]
        means = channels.mean(2).mean(0)
        variances = (channels - means[:, None]).square().mean(2).mean(0)
        deviations.append(variances.mean().add(TINY).sqrt())

    here = torch.randn_like(untrained.inputs)
    with torch.no_grad(), hooked(drawn, (nn.Linear,), keep_features):
        with hooked(drawn, NORMS[:3], keep_deviation):
            drawn(here)
        drawn(here + ZEN_STEP * torch.randn_like(here))
    if not features:
        return float("nan")
    half = len(features) // 2
    change = (features[half - 1] - features[-1]).flatten(1).abs().sum(1).mean()
    return float(change.clamp_min(TINY**4).log() + sum(each.log() for each in deviations))


def params(untrained: Untrained) -> float:
    """Return the number of learnt weights, in millions."""
    return sum(parameter.numel() for parameter in untrained.network.parameters()) / 1e6


def flops(untrained: Untrained) -> float:
    """Return the multiply-adds for one input, in millions."""
    few = untrained.inputs[:2]  # batch norms in training mode need two
    with torch.no_grad(), flop_counter() as counter:
        untrained.network(few)
    return counter.get_total_flops() / 2 / len(few) / 1e6


SHARING = ("nwot", "jacov", "grad_norm", "snip", "plain", "fisher", "grasp")
"""Those that look at one pass forward of the batch."""
PROXIES: dict[str, Callable[[Untrained], float]] = {
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
    "expressivity": expressivity,
    "progressivity": progressivity,
    "trainability": trainability,
}
"""Each proxy by name."""


def _salience(weights: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> Tensor:
    pairs = zip(weights, gradients, strict=True)
    return torch.stack([(w * g).abs().sum() for w, g in pairs if g is not None]).sum()
