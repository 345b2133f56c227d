"""REINFORCE: a policy that draws each node's operation, led by the values of what it drew."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from diffusionnag._adam import Adam
from diffusionnag.search.proposers import draw_untaken
from diffusionnag.search.trials import Measured
from diffusionnag.spaces import Architecture, SearchSpace

LEARNING_RATE = 0.01
"""Of Adam, as published for NAS-Bench-201 and NATS-Bench (Dong et al. 2021)."""
BASELINE_MOMENTUM = 0.9
DRAWS = 1_000
"""Draws from the policy that are taken or break the space's rule before a uniform one is made."""


@dataclass(frozen=True)
class Reinforce:
    """Draws from independent categorical distributions, one a node (Williams 1992; Zoph & Le 2017).

    Their logits start at zero and climb the policy gradient: one step for each measured one, in the
    order of the trials, its advantage being its value above a moving average of the values.
    """

    space: SearchSpace
    learning_rate: float = LEARNING_RATE
    momentum: float = BASELINE_MOMENTUM

    def propose(
        self,
        measured: Sequence[Measured],
        taken: Collection[Architecture],
        rng: np.random.Generator,
    ) -> Architecture:
        """Return a draw from the policy that is valid and not taken."""
        probabilities = self.policy(measured)
        cumulative = probabilities.cumsum(1)
        places = rng.random((DRAWS, len(probabilities), 1)) * cumulative[:, -1:]
        for architecture in self.space.architectures((places > cumulative).sum(-1)):
            if architecture not in taken and self.space.is_valid(architecture):
                return architecture
        return draw_untaken(self.space, taken, rng)

    def policy(self, measured: Sequence[Measured]) -> np.ndarray:
        """Return each operation's probability after these measurements, `N x F`."""
        logits = torch.zeros(self.space.allowed.shape, dtype=torch.float64)
        logits[~torch.from_numpy(self.space.allowed)] = -torch.inf
        optimiser = Adam(logits, self.learning_rate)
        chosen = torch.from_numpy(self.space.encode([trial.architecture for trial in measured]))
        total = weight = 0.0
        for trial, operations in zip(measured, chosen.double(), strict=True):
            total = self.momentum * total + trial.value
            weight = self.momentum * weight + 1
            # The gradient of the log-probability of a choice is the choice minus its probability.
            optimiser.step((trial.value - total / weight) * (logits.softmax(1) - operations))
        return logits.softmax(1).numpy()
