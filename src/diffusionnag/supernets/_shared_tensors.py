"""Tensors by name, and the parts of them that networks of different sizes have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SharedTensors(nn.Module):
    """Parameters and buffers whose names, dots included, are those of a network's."""

    def add(self, name: str, tensor: Tensor) -> None:
        """Keep a parameter, or what is none as a buffer, under a name such as `0.edges.weight`."""
        module: nn.Module = self
        *path, last = name.split(".")
        for part in path:
            if part not in module._modules:
                module.add_module(part, nn.Module())
            module = module._modules[part]  # type: ignore[assignment]
        if isinstance(tensor, nn.Parameter):
            module.register_parameter(last, tensor)
        else:
            module.register_buffer(last, tensor)

    def by_name(self) -> dict[str, Tensor]:
        """Return all tensors by their names."""
        return {**dict(self.named_parameters()), **dict(self.named_buffers())}


def observed_shapes(
    networks: Sequence[Mapping[str, Tensor]],
) -> dict[str, tuple[torch.Size, torch.Size]]:
    """Return the largest and the smallest shape of each tensor in some networks."""
    shapes: dict[str, list[torch.Size]] = {}
    for tensors in networks:
        for name, tensor in tensors.items():
            shapes.setdefault(name, []).append(tensor.shape)
    return {name: (max(seen), min(seen)) for name, seen in shapes.items()}


def kernel_matrices(
    shapes: Mapping[str, tuple[torch.Size, torch.Size]],
) -> Iterator[tuple[str, Tensor]]:
    """Yield name and start value of what makes smaller kernels of convolutions from larger ones.

    Where some convolutions come in several sizes, all larger than the smallest of these do: a layer
    that only the largest network has was seen at its largest.
    """
    kernels = {
        name: (largest[-1], smallest[-1])
        for name, (largest, smallest) in shapes.items()
        if len(largest) == 4
    }
    varied = [smallest for largest, smallest in kernels.values() if largest > smallest]
    for name, (largest, _) in kernels.items():
        for size in range(largest, min(varied, default=largest), -2):
            yield _matrix_name(name, size), torch.eye((size - 2) ** 2)


def part_of(shared: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    """Return the part of a shared tensor that a network has: first channels, middle of a kernel."""
    tensor = shared[name]
    if tensor.shape == shape:
        return tensor
    if len(shape) != 4:
        return tensor[tuple(slice(size) for size in shape)]
    kernel = tensor[: shape[0], : shape[1]]
    while kernel.shape[-1] > shape[-1]:
        size = kernel.shape[-1]
        middle = kernel[:, :, 1:-1, 1:-1]
        made = F.linear(middle.flatten(2), shared[_matrix_name(name, size)])
        kernel = made.unflatten(2, (size - 2, size - 2))
    return kernel


def _matrix_name(name: str, size: int) -> str:
    return f"{name}_{size}to{size - 2}"
