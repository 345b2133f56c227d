"""Architectures that break a rule by one operation, beside those they come from: what is mended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffusionnag.diffusion.training_set import row_hashes
from diffusionnag.spaces import SearchSpace

EXCHANGED = 200_000
"""Architectures of which one operation is exchanged, to find those that break a rule thereby."""
FEWEST_BROKEN = 50
"""A reason for which fewer of them break is left out: they would be learnt by heart."""


@dataclass(frozen=True, eq=False)
class Broken:
    """Broken architectures, the valid ones that they were, and how often each pair is shown.

    `broken` and `whole` hold operation indices, `pairs x N`; `weight` (`pairs`) makes each of the
    reasons for which they are invalid equally frequent, so that the rarest is learnt as well.
    """

    broken: Tensor
    whole: Tensor
    weight: Tensor

    @classmethod
    def none(cls, space: SearchSpace) -> Broken:
        """Return no pairs at all: nothing is shown."""
        empty = torch.zeros(0, len(space.nodes), dtype=torch.long)
        return cls(empty, empty, torch.zeros(0))

    @classmethod
    def of(cls, space: SearchSpace, operations: np.ndarray, seed: int) -> Broken:
        """Return what breaks when one node of some of these rows, `count x N`, gets another's operation.

        So what is broken differs from the rows in combination, not in the operations that a node has.
        """
        if not space.has_rule:
            return cls.none(space)
        rng = np.random.default_rng(seed)
        count, nodes = operations.shape
        whole = operations[rng.integers(count, size=EXCHANGED)]
        rows, node = np.arange(len(whole)), rng.integers(nodes, size=len(whole))
        changed = whole.copy()
        changed[rows, node] = operations[rng.integers(count, size=len(whole)), node]
        # In a small space most rows stand there several times, and a user's rule takes its time.
        _, first, place = np.unique(row_hashes(changed), return_index=True, return_inverse=True)
        distinct = changed[first]
        broken = ~space.obeys_rule(distinct)
        reason_of = np.full(len(distinct), "", dtype=object)
        reason_of[broken] = [
            space.is_valid(invalid).reason for invalid in space.architectures(distinct[broken])
        ]
        kept = broken[place] & (changed != whole).any(1)
        whole, changed, reasons = whole[kept], changed[kept], reason_of[place[kept]].astype(str)
        _, reason, frequency = np.unique(reasons, return_inverse=True, return_counts=True)
        shown = frequency[reason] >= FEWEST_BROKEN
        weight = torch.from_numpy(1 / frequency[reason[shown]])
        return cls(torch.from_numpy(changed[shown]), torch.from_numpy(whole[shown]), weight)

    def to(self, device: torch.device) -> Broken:
        """Return the same on a device."""
        return Broken(self.broken.to(device), self.whole.to(device), self.weight.to(device))

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Return so many broken rows and what they were, each `count x N`; none if nothing breaks."""
        if not len(self.weight):
            return self.broken, self.whole
        rows = torch.multinomial(self.weight, count, replacement=True)
        return self.broken[rows], self.whole[rows]
