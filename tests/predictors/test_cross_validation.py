"""Cross-validation and the quality of predictions: by hand, and for any number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.predictors import (
    MOST_CROSS_VALIDATED,
    held_out_parts,
    predict_held_out,
    prediction_quality,
)

MEASURES = (
    "mean absolute error",
    "root mean squared error",
    "Spearman",
    "Kendall",
    "share within one standard deviation",
    "share within two standard deviations",
)


@given(st.integers(6, 400), st.integers(2, 60), st.integers(0, 9))
def test_parts_hold_every_row_out_once_and_leave_enough(count: int, folds: int, seed: int) -> None:
    parts = held_out_parts(count, folds, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    sizes = [len(part) for part in parts]
    assert min(sizes) >= max(1, max(sizes) - 1)
    assert count - max(sizes) >= 5
    assert len(parts) >= min(folds, count)
    if count >= 10:
        assert len(parts) == min(folds, count)


def test_few_rows_are_not_held_out_and_of_many_a_tenth_is() -> None:
    assert held_out_parts(5, 5, seed=0) == []
    assert len(held_out_parts(MOST_CROSS_VALIDATED, 5, seed=0)) == 5
    (part,) = held_out_parts(MOST_CROSS_VALIDATED + 10, 5, seed=0)
    assert len(set(part.tolist())) == 301
    with pytest.raises(DiffusionNAGError, match="2 or more"):
        held_out_parts(100, 0, seed=0)


def test_no_part_is_seen_by_what_predicts_it() -> None:
    values = np.arange(30.0)
    parts = held_out_parts(30, 4, seed=1)

    def predict(seen: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert sorted([*seen, *part]) == list(range(30))
        return -values[part], np.full(len(part), len(seen))

    held_out = predict_held_out(predict, values, parts)
    assert sorted(held_out.true.tolist()) == values.tolist()
    np.testing.assert_array_equal(held_out.mean, -held_out.true)
    assert set(held_out.std.tolist()) == {22, 23}


def test_where_all_others_are_the_same_their_value_is_predicted() -> None:
    def predict(seen: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(part)), np.ones(len(part))

    values = np.append(np.full(19, 2.0), 5.0)
    held_out = predict_held_out(predict, values, held_out_parts(20, 5, seed=0))
    np.testing.assert_array_equal(held_out.mean[held_out.true == 5], [2])
    assert sorted(set(held_out.mean.tolist())) == [0, 2]


def test_quality_of_known_predictions() -> None:
    true, mean = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 7.0])
    quality = prediction_quality(mean, np.array([0.0, 0.0, 0.5, 1.0]), true)
    assert tuple(quality) == MEASURES
    expected = [1.0, np.sqrt(2.5), 1.0, 1.0, 0.5, 0.75]
    np.testing.assert_allclose(list(quality.values()), expected)


@pytest.mark.filterwarnings("error")
def test_ranks_of_equal_predictions_are_undefined() -> None:
    quality = prediction_quality(np.full(4, 2.0), np.ones(4), np.arange(4.0))
    undefined = {name for name, value in quality.items() if np.isnan(value)}
    assert undefined == {"Spearman", "Kendall"}
