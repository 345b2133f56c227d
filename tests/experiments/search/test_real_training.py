"""How searches of one seed are compared."""

from __future__ import annotations

import numpy as np

from experiments.search.real_training import paired_rows


def test_searches_of_a_seed_are_a_pair() -> None:
    random = np.zeros((8, 3))
    own = random + np.array([1.0, 0.0, -1.0])
    own[0] = (-1.0, 0.0, 1.0)
    ten, twenty, retrained = paired_rows("space", {"diffusionnag": own, "random": random})
    assert ten[3:7] == ("0.75", "0.00", "+0.75", "7, 0, 1")
    assert twenty[5:] == ("+0.00", "0, 8, 0", "1")
    assert retrained[6] == "1, 0, 7"
