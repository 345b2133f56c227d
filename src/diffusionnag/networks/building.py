"""From an architecture to the network that it describes, as its space builds it."""

from __future__ import annotations

from dataclasses import fields, replace

import torch
from torch import Tensor, nn

from diffusionnag._devices import seeded, torch_defaults
from diffusionnag._memory import check_fits
from diffusionnag._packages import require_packages
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, Graph, NodeClassification, SearchSpace, Task


@torch_defaults()
def build_network(
    space: SearchSpace,
    architecture: Architecture,
    *,
    task: Task | None = None,
    classes: int | None = None,
    resolution: int | None = None,
    width: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """Return the network of an architecture, freshly initialised, in training mode.

    It takes and returns what `task` says, the space's own if left out; `classes`, `resolution` and
    `width` replace a part of that. Raises DiffusionNAGError for an invalid architecture, a space
    whose networks cannot be built, impossible settings, and a builder that fails.
    """
    task = task or task_of(space, classes=classes, resolution=resolution, width=width)
    validity = space.is_valid(architecture)
    if not validity:
        raise DiffusionNAGError(f"the architecture is not valid: {validity.reason}")
    with seeded(check_seed(seed)):
        return construct(space, architecture, task)


def construct(space: SearchSpace, architecture: Architecture, task: Task) -> nn.Module:
    """Return what a space's builder makes of an architecture, on torch's default device.

    Raises DiffusionNAGError, naming the architecture, where the builder fails or returns no module.
    """
    require_networks(space)
    try:
        network: object = space.build_network(architecture, task)
    except Exception as error:  # whatever the user's own code raises
        raise DiffusionNAGError(
            f"the network of {space.format(architecture)} cannot be built: {type(error).__name__}: "
            f"{error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise DiffusionNAGError(
            f"`build_network` of {space.name} returned {type(network).__name__}, no torch module, for "
            f"{space.format(architecture)}"
        )
    return network


def task_of(
    space: SearchSpace,
    *,
    classes: int | None = None,
    resolution: int | None = None,
    width: float = 1.0,
    cells: int | None = None,
    context: int | None = None,
) -> Task:
    """Return the task of a space's networks, with another number of something where one is given.

    Raises DiffusionNAGError for a space whose networks cannot be built, a number that its task does
    not have, and one that is too small or too large.
    """
    require_networks(space)
    task = space.networks.task
    _check_width(space, width)
    asked = {"classes": classes, "resolution": resolution, "cells": cells, "context": context}
    given = {name: value for name, value in asked.items() if value is not None}
    known = {field.name for field in fields(task)}  # type: ignore[arg-type]
    if not space.networks.cells:
        known -= {"cells"}
    for name, value in given.items():
        if name not in known:
            raise DiffusionNAGError(
                f"networks of {space.name} take {task.inputs}: no {name} to choose"
            )
        if value < 1:
            raise DiffusionNAGError(f"a network of {value} {name} cannot be built; at least 1")
    if "resolution" in given:
        _check_resolution(space, given["resolution"])
    if width != 1.0:
        given["width"] = width  # type: ignore[assignment]
    return replace(task, **given)  # type: ignore[type-var]


def require_networks(space: SearchSpace) -> None:
    """Raise DiffusionNAGError for a space that does not say how its networks are built."""
    if space.networks.extra is not None:
        require_packages(*space.networks.extra)
    if not space.builds_networks:
        raise DiffusionNAGError(
            f"networks of {space.name} cannot be built: it names no function that does"
        )


def random_inputs(task: Task, batch: int, rng: torch.Generator | None = None) -> Tensor | Graph:
    """Return inputs that a network for a task takes: normal numbers, or tokens from 1 on.

    A graph has `batch` nodes, each of which is fed by the one before it and by the last but one.
    """
    shape = (batch, *task.input_shape)
    if isinstance(task, NodeClassification):
        node = torch.arange(batch)
        feeding = torch.cat([node.roll(1), node.roll(2)])
        edges = torch.stack([feeding, node.repeat(2)])
        return Graph(torch.randn(shape, generator=rng), edges[:, edges[0] != edges[1]])
    if task.vocabulary:
        return torch.randint(1, task.vocabulary, shape, generator=rng)
    return torch.randn(shape, generator=rng)


def check_outputs(outputs: object, task: Task, batch: int) -> None:
    """Raise DiffusionNAGError unless a network's outputs are what its task says."""
    expected = (batch, *task.output_shape)
    if not isinstance(outputs, Tensor):
        raise DiffusionNAGError(
            f"the network returns {type(outputs).__name__}; it should be a tensor of {list(expected)}"
        )
    if tuple(outputs.shape) != expected:
        raise DiffusionNAGError(
            f"the network returns {list(outputs.shape)} for {batch} inputs; it should be "
            f"{list(expected)}"
        )


def _check_resolution(space: SearchSpace, resolution: int) -> None:
    smallest = space.networks.smallest
    if resolution < smallest:
        raise DiffusionNAGError(
            f"{space.name} networks need images of {smallest} pixels at least, not {resolution}"
        )
    check_fits(f"an image of {resolution:,} pixels", 3 * 4 * resolution**2)


def _check_width(space: SearchSpace, width: float) -> None:
    known = space.networks.widths
    if width not in known:
        has = " and ".join(map(str, known))
        raise DiffusionNAGError(f"no {space.name} networks of width {width:g}; there is {has}")
