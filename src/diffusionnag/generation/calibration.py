"""Calibration: free samples have each operation as often as the architectures of the space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from diffusionnag._devices import torch_defaults
from diffusionnag.diffusion.training_set import whole_space
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.metrics import count_operations
from diffusionnag.generation.sampling import Sampling

ROUNDS = 5
SAMPLES = 8_192
"""Samples in a round; by those of all rounds a share is known to a quarter of a percentage point."""


@torch_defaults()
def calibrate(
    generator: Generator,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, rounds: None,
) -> None:
    """Adjust the logits of each node's operations until samples have them as often as the space.

    In few steps a solver is off by a point or two, for what nodes have in common is decided at once.
    A round adds the log of wanted over seen shares to the logits (compare Menon et al. 2021, "Long-tail
    learning via logit adjustment"); round k counts 1 / k (Robbins & Monro 1951), so that the chance in
    samples averages out. `report` is told the rounds done and the number of all.
    """
    space, adjustment = generator.search_space, generator.denoiser.logit_adjustment
    # Where all can be counted the half that was learnt from is off by chance, as samples are.
    everything = whole_space(space, np.random.default_rng(generator.origin.seed))
    wanted = _shares(everything, len(space.operations))
    estimates = generator.estimates(sampling=Sampling(seed=seed))
    for round_number in range(1, ROUNDS + 1):
        drawn = list[np.ndarray]()
        while sum(map(len, drawn)) < samples:
            drawn.append(next(estimates).argmax(-1))
        seen = _shares(np.concatenate(drawn), len(space.operations))
        # An operation that was not drawn at all is taken to be just too rare for that.
        missing = np.log(np.where(wanted > 0, wanted, 1.0) / np.maximum(seen, 1 / samples))
        missing = np.where(wanted > 0, missing, 0.0)
        adjustment += torch.from_numpy(missing / round_number).to(adjustment)
        report(round_number, ROUNDS)


def _shares(rows: np.ndarray, operations: int) -> np.ndarray:
    """Return which share of architectures, `count x N` indices, has each operation at a node, `N x F`."""
    return count_operations(rows, operations) / len(rows)
