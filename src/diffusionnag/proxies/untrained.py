"""A freshly initialised network and a batch, and what several proxies need to know of them."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from diffusionnag._devices import seeded

LEARNT = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
"""Layers whose weights the gradients' proxies look at."""
RECTIFIERS = (nn.ReLU, nn.ReLU6)


@dataclass(frozen=True)
class ForwardPass:
    """One pass of the batch through the network."""

    inputs: Tensor
    """The batch, by which outputs can be derived unless it is of tokens."""
    outputs: Tensor
    learnt: list[tuple[nn.Module, Tensor]]
    """Each layer that learns, with what it put out."""
    switched_on: list[Tensor]
    """Where the output of each rectifier was above zero, bool."""


@dataclass(frozen=True)
class FirstOrder:
    """What one pass back from the loss tells."""

    gradients: list[Tensor]
    """Of each layer's weights, zero where the loss does not depend on them."""
    fisher: float
    """The Fisher information of the channels of each layer's output, times the weights each has."""


@dataclass(frozen=True)
class Untrained:
    """A network as it was initialised, one batch of its task, and the loss of its outputs on that.

    What several proxies look at is computed once: the pass forward, the gradients of the loss, and
    what the blocks put out.
    """

    network: nn.Module
    inputs: Tensor
    """`batch x ...`, floating-point numbers or tokens."""
    loss: Callable[[Tensor], Tensor]
    """The mean loss of outputs for these inputs."""

    @property
    def takes_tokens(self) -> bool:
        """Whether inputs are tokens, by which nothing can be derived."""
        return not self.inputs.is_floating_point()

    @cached_property
    def weights(self) -> list[Tensor]:
        """The weights of each layer that learns, in the order of the network."""
        return learnt_weights(self.network)

    @cached_property
    def pristine(self) -> nn.Module:
        """The network as it was before anything passed through it, to be copied."""
        return copy.deepcopy(self.network)

    @cached_property
    def forward_pass(self) -> ForwardPass:
        """What the network makes of the batch, with the graph that gradients go back through."""
        # A network that keeps what passed through it cannot be copied afterwards.
        with contextlib.suppress(Exception):
            _ = self.pristine
        learnt: list[tuple[nn.Module, Tensor]] = []
        switched_on: list[Tensor] = []
        inputs = self.inputs.detach()
        if not self.takes_tokens:
            inputs.requires_grad_()

        def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(layer, LEARNT):
                learnt.append((layer, output))
            else:
                switched_on.append(output.detach() > 0)

        with hooked(self.network, (*LEARNT, *RECTIFIERS), keep):
            # A copy, since a first layer may work in place, which none may on what is derived by.
            outputs = self.network(inputs.clone())
        return ForwardPass(inputs, outputs, learnt, switched_on)

    @cached_property
    def first_order(self) -> FirstOrder:
        """What the loss tells of weights and of channels."""
        passed = self.forward_pass
        asked = [*self.weights, *(output for _, output in passed.learnt)]
        loss = self.loss(passed.outputs)
        gradients = torch.autograd.grad(loss, asked, retain_graph=True, allow_unused=True)
        ours, theirs = gradients[: len(self.weights)], gradients[len(self.weights) :]
        fisher = 0.0
        for (layer, output), gradient in zip(passed.learnt, theirs, strict=True):
            if gradient is not None:
                products = output.detach() * gradient
                # Convolutions have channels before places.
                products = products.movedim(-1, 1) if isinstance(layer, nn.Linear) else products
                # All places of a channel count together.
                channels = products.unsqueeze(-1).flatten(2).sum(2)
                size = layer.weight[0].numel()  # type: ignore[index]
                fisher += size * float(channels.square().mean(0).sum()) / 2
        return FirstOrder(
            [
                torch.zeros_like(weight) if gradient is None else gradient
                for weight, gradient in zip(self.weights, ours, strict=True)
            ],
            fisher,
        )

    @cached_property
    def block_features(self) -> list[Tensor]:
        """What each block puts out, in order, for inputs and with weights of normal noise.

        The weights keep the signal's variance (He et al. 2015), tokens stay as they are, and the
        features have the graph of what made them. The draws are the same whichever proxy asks.
        """
        network = copy.deepcopy(self.pristine).train()
        features: list[Tensor] = []

        def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
            # Blocks that remember something return it behind their features.
            first = output[0] if isinstance(output, tuple) and output else output
            if isinstance(first, Tensor) and first.requires_grad:
                features.append(first)

        with seeded(torch.initial_seed()):
            for layer in network.modules():
                if isinstance(layer, LEARNT):
                    nn.init.kaiming_normal_(layer.weight.data, nonlinearity="relu")
                    if layer.bias is not None:
                        nn.init.zeros_(layer.bias.data)
            given = self.inputs if self.takes_tokens else torch.randn_like(self.inputs)
            with hooked_layers(list(_blocks(network)), keep):
                network(given)
        # A head that averages over all places is no block among feature maps.
        most = max((each.dim() for each in features), default=0)
        return [each for each in features if each.dim() == most]

    def forget_graph(self) -> None:
        """Forget the pass forward, whose graph takes as much memory as training does."""
        self.__dict__.pop("forward_pass", None)


def learnt_weights(network: nn.Module) -> list[Tensor]:
    """Return the weights of each layer that learns, in the order of the network."""
    return [
        layer.weight
        for layer in network.modules()
        if isinstance(layer, LEARNT) and layer.weight.requires_grad
    ]


def hooked(
    network: nn.Module, kinds: tuple[type[nn.Module], ...], hook: Callable[..., Tensor | None]
) -> contextlib.AbstractContextManager[None]:
    """Call a hook after each layer of some kinds, for a while."""
    return hooked_layers([layer for layer in network.modules() if isinstance(layer, kinds)], hook)


@contextlib.contextmanager
def hooked_layers(layers: list[nn.Module], hook: Callable[..., Tensor | None]) -> Iterator[None]:
    """Call a hook after each of these layers, for a while."""
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules that a network consists of and that consist of layers themselves."""
    parts = [part for part in network.children() if _is_composite(part)]
    if len(parts) == 1:
        yield from _blocks(parts[0])
        return
    for part in parts:
        holds_blocks = any(map(_is_composite, part.children()))
        if isinstance(part, nn.ModuleList | nn.Sequential) and holds_blocks:
            yield from _blocks(part)
        else:
            yield part


def _is_composite(module: nn.Module) -> bool:
    return next(module.children(), None) is not None
