"""What searches start from: proxies, the opposite, and a function that knows nothing."""

from __future__ import annotations

import numpy as np
import torch

from diffusionnag import get_search_space
from diffusionnag.predictors import spearman
from experiments.search.priors import prior, random_function

SPACE = get_search_space("nasbench201")
CELLS = SPACE.sample(600, seed=5)


def test_random_functions_are_smooth_standardised_and_others_with_other_seeds() -> None:
    first, again, other = (random_function(SPACE, seed).normal_score(CELLS) for seed in (0, 0, 1))
    assert (first == again).all()
    assert abs(first.mean()) < 0.3
    assert 0.7 < first.std() < 1.3
    assert abs(spearman(first, other)) < 0.9
    rng = np.random.default_rng(0)
    mutants = [SPACE.mutate(cell, rng) for cell in CELLS]
    assert spearman(first, random_function(SPACE, 0).normal_score(mutants)) > 0.3


def test_random_functions_have_a_gradient() -> None:
    x = torch.from_numpy(SPACE.encode(CELLS[:4])).float().requires_grad_()
    random_function(SPACE, 2).standardised(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_inverted_proxies_are_the_opposite() -> None:
    proxies, inverted = (
        prior(name, SPACE, 0).normal_score(CELLS) for name in ("proxies", "inverted")
    )
    assert np.allclose(proxies, -inverted)
