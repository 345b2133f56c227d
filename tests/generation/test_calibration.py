"""Calibration: samples have each operation as often as the architectures of the space."""

from __future__ import annotations

import numpy as np

from diffusionnag import Generator
from diffusionnag.generation.calibration import calibrate
from diffusionnag.generation.metrics import operation_counts
from diffusionnag.generation.sampling import Sampling

SAMPLES = 2_048


def shares(generator: Generator) -> np.ndarray:
    """In %, `N x F`; their standard error is at most 1.1."""
    drawn = generator.draw(SAMPLES, sampling=Sampling(seed=1))
    return 100 * operation_counts(generator.search_space, drawn) / len(drawn)


def test_shares_that_are_off_are_corrected() -> None:
    generator = Generator.from_pretrained("nasbench_macro")
    space = generator.search_space
    generator.denoiser.logit_adjustment[:-1, 2] += 1.0
    wanted = 100 * space.allowed / space.allowed.sum(1, keepdims=True)
    before = np.abs(shares(generator) - wanted)
    rounds = list[tuple[int, int]]()
    calibrate(generator, samples=1_024, report=lambda *done: rounds.append(done))
    after = np.abs(shares(generator) - wanted)
    assert before.max() > 8 > 4 > after.max()
    assert rounds == [(done, 5) for done in range(1, 6)]
