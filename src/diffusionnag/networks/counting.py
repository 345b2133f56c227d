"""Parameters, multiply-accumulate operations and memory of networks, counted on the modules."""

from __future__ import annotations

import functools
import weakref
from collections import Counter as Multiset
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from diffusionnag._devices import torch_defaults
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import check_outputs, construct, random_inputs
from diffusionnag.spaces import Architecture, Cost, Counter, SearchSpace, Task
from diffusionnag.spaces.cost import WEIGHTS_ONLY
from diffusionnag.spaces.layers import GlobalPool

COUNTED = ("params", "macs", "activation_memory")
"""The properties of networks that are counted on the module, as `count_properties` has them."""


class _Size(NamedTuple):
    cost: Cost
    activation_bytes: int


@torch_defaults()
def count_network(network: nn.Module, task: Task, convention: Counter = WEIGHTS_ONLY) -> Cost:
    """Return the parameters of a network, and its MACs for one input.

    They are counted while an input goes through: one MAC for each product in a convolution, a linear
    layer, an attention or another product of matrices. Benchmarks add to the former two what
    `space.networks.convention` states.

        >>> space = get_search_space("mobilenetv3")
        >>> smallest = space.parse("|".join(["3-3,3-3,none,none"] * 5))
        >>> count_network(build_network(space, smallest), space.networks.task)
        Cost(parameters=3410792, macs=121278672)
    """
    if convention == WEIGHTS_ONLY:
        return _size(network, task).cost
    macs: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        macs.append(_layer_macs(layer, inputs[0], output, convention))

    handles = [layer.register_forward_hook(count) for layer in network.modules()]
    try:
        _run(network, task)
    finally:
        for handle in handles:
            handle.remove()
    return Cost(sum(parameter.numel() for parameter in network.parameters()), sum(macs))


def count_properties(space: SearchSpace, architecture: Architecture) -> dict[str, float]:
    """Return what is counted on the module that a space builds for its own task, by name.

    `params` and `macs`, for one input, are in millions; `activation_memory` is the most that the
    layers' outputs take up at once while an input goes through, in MiB of 32-bit numbers. The module
    is built without weights where its builder allows that. Raises DiffusionNAGError, naming the
    architecture, for a builder that fails, and outputs that are not what the task says.
    """
    size = _size_of(space, architecture)
    return {
        "params": size.cost.parameters / 1e6,
        "macs": size.cost.macs / 1e6,
        "activation_memory": size.activation_bytes / 2**20,
    }


def count_property(space: SearchSpace, architecture: Architecture, name: str) -> float:
    """Return one of `count_properties`; parameters alone are counted without running the module."""
    if name == "params":
        return _parameters_of(space, architecture) / 1e6
    return count_properties(space, architecture)[name]


def counted_names(space: SearchSpace) -> list[str]:
    """Return the properties of a space that are counted on its modules, and have no formula."""
    if not space.builds_networks or space.analytic_conditions:
        return []
    (drawn,) = space.sample(1, 0)
    with_formula = space.analytic_properties(drawn)
    return [name for name in COUNTED if name not in with_formula]


def buildable(
    space: SearchSpace, architectures: Sequence[Architecture]
) -> tuple[list[Architecture], dict[str, np.ndarray]]:
    """Return those of some architectures whose networks can be built, and what is counted on each.

    Raises DiffusionNAGError, with the reason of the first, where none can be built.
    """
    kept: list[Architecture] = []
    counts: list[dict[str, float]] = []
    reasons: list[DiffusionNAGError] = []
    for architecture in architectures:
        try:
            counts.append(count_properties(space, architecture))
            kept.append(architecture)
        except DiffusionNAGError as error:
            reasons.append(error)
    if not kept:
        raise reasons[0]
    return kept, {name: np.array([count[name] for count in counts]) for name in COUNTED}


def can_be_built(space: SearchSpace, architectures: Sequence[Architecture]) -> np.ndarray:
    """Return of which architectures the networks can be built, `batch` bool.

    Only a user's own builder is asked: those of the library build all that is valid.
    """
    if not space.has_own_builder:
        return np.ones(len(architectures), dtype=bool)
    return np.array([_builds(space, each) for each in architectures], dtype=bool)


@functools.lru_cache(maxsize=100_000)
def _builds(space: SearchSpace, architecture: Architecture) -> bool:
    try:
        _parameters_of(space, architecture)
    except DiffusionNAGError:
        return False
    return True


@functools.lru_cache(maxsize=100_000)
def _parameters_of(space: SearchSpace, architecture: Architecture) -> int:
    task = space.networks.task
    with torch.random.fork_rng():
        try:
            with torch.device("meta"):
                network = construct(space, architecture, task)
        except (
            DiffusionNAGError
        ):  # some builders look at numbers, which weights without memory lack
            with torch.device("cpu"):
                network = construct(space, architecture, task)
    return sum(parameter.numel() for parameter in network.parameters())


@functools.lru_cache(maxsize=100_000)
def _size_of(space: SearchSpace, architecture: Architecture) -> _Size:
    task = space.networks.task
    with torch.random.fork_rng():
        try:
            with torch.device("meta"):
                return _size(construct(space, architecture, task), task)
        except (DiffusionNAGError, RuntimeError, NotImplementedError, TypeError, ValueError):
            pass  # some modules cannot be without weights; the next lines say what else is wrong
        with torch.device("cpu"):
            network = construct(space, architecture, task)
        return _size_naming(network, task, space.format(architecture))


def _size_naming(network: nn.Module, task: Task, text: str) -> _Size:
    try:
        return _size(network, task)
    except Exception as error:  # whatever the user's own code raises
        reason = (
            str(error)
            if isinstance(error, DiffusionNAGError)
            else (f"it cannot run: {type(error).__name__}: {error}")
        )
        raise DiffusionNAGError(f"the network of {text}: {reason}") from error


def _attention_flops(
    queries: torch.Size, keys: torch.Size, values: torch.Size, *_: Any, **__: Any
) -> int:
    return sdpa_flop_count(queries, keys, values)


def flop_counter() -> FlopCounterMode:
    """Return torch's counter, which is told besides what attention becomes on a CPU."""
    on_cpu = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}
    return FlopCounterMode(display=False, custom_mapping=on_cpu)


def _size(network: nn.Module, task: Task) -> _Size:
    flops = flop_counter()
    memory = _ActivationMemory(network)
    with memory, flops:
        _run(network, task)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return _Size(Cost(parameters, flops.get_total_flops() // 2), memory.peak)


@torch.no_grad()
def _run(network: nn.Module, task: Task) -> None:
    """Let one input go through a network, in evaluation mode."""
    parameter = next(network.parameters(), torch.zeros(()))
    training = network.training
    try:
        inputs = random_inputs(task, 1).to(parameter.device)
        check_outputs(network.eval()(inputs), task, 1)
    finally:
        network.train(training)


class _ActivationMemory(TorchDispatchMode):
    """Follows how many bytes the outputs of operations hold at once."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        held = [*network.parameters(), *network.buffers()]
        self._weights = {_storage(tensor) for tensor in held}
        self._users: Multiset[int] = Multiset()
        self._now = self.peak = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        outputs = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(outputs):
            if isinstance(tensor, Tensor) and _storage(tensor) not in self._weights:
                self._hold(tensor)
        return outputs

    def _hold(self, tensor: Tensor) -> None:
        storage, size = _storage(tensor), tensor.untyped_storage().nbytes()
        if not self._users[storage]:
            self._now += size
            self.peak = max(self.peak, self._now)
        self._users[storage] += 1
        weakref.finalize(tensor, self._release, storage, size)

    def _release(self, storage: int, size: int) -> None:
        self._users[storage] -= 1
        if not self._users[storage]:
            self._now -= size


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


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
