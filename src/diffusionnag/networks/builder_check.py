"""Whether a space's builder makes a network of whatever architecture there is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from diffusionnag._devices import torch_defaults
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import build_network, random_inputs, require_networks
from diffusionnag.networks.counting import COUNTED, count_properties
from diffusionnag.spaces import Architecture, SearchSpace

RUN = 20
"""Of the first so many, the network is also run with real weights, and a gradient computed."""


@dataclass(frozen=True)
class BuilderCheck:
    """What came of building random architectures: properties of those built, and what failed.

    `counts` has each counted property by name, one value for each that was built; `failed` the
    strings of the others with the reason; `seconds` is what all of it took.
    """

    counts: dict[str, np.ndarray]
    failed: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def built(self) -> int:
        """How many networks were built."""
        return len(self.counts["params"])


@torch_defaults()
def check_builder(
    space: SearchSpace,
    count: int = 200,
    *,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> BuilderCheck:
    """Build the networks of random architectures for the space's own task, and count them.

    The first twenty also learn from a batch of two random inputs. Raises DiffusionNAGError for a space
    that names no builder.
    """
    require_networks(space)
    drawn = list(dict.fromkeys(space.sample(count, seed)))
    started = time.perf_counter()
    counts: list[dict[str, float]] = []
    failed: list[tuple[str, str]] = []
    for done, architecture in enumerate(drawn):
        try:
            counted = count_properties(space, architecture)
            if done < RUN:
                _learn(space, architecture)
            counts.append(counted)
        except DiffusionNAGError as error:
            failed.append((space.format(architecture), " ".join(str(error).split())))
        report(done + 1, len(drawn))
    columns = {name: np.array([values[name] for values in counts]) for name in COUNTED}
    return BuilderCheck(columns, tuple(failed), time.perf_counter() - started)


def _learn(space: SearchSpace, architecture: Architecture) -> None:
    """Raise DiffusionNAGError unless a network gives finite outputs, with gradients, when it trains."""
    task = space.networks.task
    network = build_network(space, architecture)
    try:
        with torch.random.fork_rng():
            outputs = network(random_inputs(task, 2, torch.Generator().manual_seed(0)))
            outputs.square().mean().backward()
    except Exception as error:  # whatever the user's own code raises
        raise DiffusionNAGError(
            f"the network of {space.format(architecture)} cannot be trained: "
            f"{type(error).__name__}: {error}"
        ) from error
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    if not all(bool(torch.isfinite(each).all()) for each in (outputs, *gradients)):
        raise DiffusionNAGError(
            f"the network of {space.format(architecture)} gives numbers that are not finite"
        )
