"""What the predictors of gpt2 are taught: extremes are reached, and sums over layers are learnt exactly."""

from __future__ import annotations

import numpy as np

from diffusionnag import get_search_space
from experiments.shipped_models.within_widths import SKEWED, UNIFORM, WithinWidths, lessons

SPACE = get_search_space("gpt2")


def test_lessons_are_valid_and_reach_what_random_draws_do_not() -> None:
    shapes = lessons(SPACE, seed=0)
    operations = np.array([shape.operations for shape in shapes])
    assert len(shapes) == UNIFORM + SKEWED
    assert SPACE.obeys_rule(operations).all()
    kinds = [len(set(row[2:12])) for row in operations.tolist()]
    assert min(kinds[:UNIFORM]) > 1
    assert min(kinds[UNIFORM:]) == 1


def test_a_product_over_layers_is_learnt_within_each_width() -> None:
    shapes = SPACE.sample(3_000, 0)
    widths = np.array([shape.operations[0] for shape in shapes])
    small = np.array([SPACE.format(shape).count("4-2") for shape in shapes])
    values = (1.0 + widths) * 0.9**small
    judge = WithinWidths(SPACE).fit(shapes[:2_000], values[:2_000])
    np.testing.assert_allclose(judge.predict(shapes[2_000:]), values[2_000:], rtol=0.01)
