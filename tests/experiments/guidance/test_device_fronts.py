"""What a device's front keeps when another device chooses it."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.guidance.device_fronts import overrun, share_kept

PERPLEXITY = np.array([4.0, 3.0, 2.0, 1.0, 2.5])
OWN = np.array([1.0, 2.0, 3.0, 4.0, 2.0])


def test_a_front_keeps_all_if_the_other_device_ranks_alike() -> None:
    assert share_kept(PERPLEXITY, OWN, OWN) == 1
    assert share_kept(PERPLEXITY, OWN, 10 * OWN**2) == 1


def test_a_front_loses_what_the_other_device_does_not_choose() -> None:
    # By the other device, the last shape is dominated by the third.
    other = np.array([1.0, 2.0, 3.0, 4.0, 3.5])
    # In units of a third of each range: with latency at most 3, perplexity gains 2; with at most 2, 1.5
    # by the last shape, and 1 by the second.
    own, chosen = 2 + 1.5, 2 + 1
    assert share_kept(PERPLEXITY, OWN, other) == pytest.approx(chosen / own)


def test_a_limit_is_overrun_by_what_the_other_device_takes_for_quick() -> None:
    assert overrun(PERPLEXITY, OWN, OWN, 0.5) == 0
    assert overrun(PERPLEXITY, OWN, -OWN, 0.5) == 1, "the slowest takes 4, and the limit is 2"
