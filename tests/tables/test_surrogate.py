"""The surrogate benchmark: a value for any architecture, close to what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionnag import get_search_space
from diffusionnag.predictors import kendall
from diffusionnag.search import read_objective
from diffusionnag.tables import Measurements, clean_measurements, read_table
from diffusionnag.tables.surrogate import SurrogateBenchmark

SPACE = get_search_space("mnasnet")


@pytest.fixture(scope="module")
def measured(data_folder: Path) -> Measurements:
    return clean_measurements(
        read_table(data_folder / "mnasnet_imagenet.parquet"), SPACE, "imagenet_top1"
    )


@pytest.fixture(scope="module")
def benchmark(measured: Measurements) -> SurrogateBenchmark:
    return SurrogateBenchmark(SPACE).fit(measured.architectures, measured.values)


def test_measured_architectures_keep_their_order(
    benchmark: SurrogateBenchmark, measured: Measurements
) -> None:
    predicted = benchmark.predict(measured.architectures)
    assert kendall(predicted, measured.values) > 0.93
    assert np.abs(predicted - measured.values).mean() < 0.3


def test_unseen_architectures_are_told_apart(measured: Measurements) -> None:
    order = np.random.default_rng(0).permutation(len(measured.values))
    held_out, seen = order[:1_000], order[1_000:]
    benchmark = SurrogateBenchmark(SPACE)
    benchmark.fit([measured.architectures[row] for row in seen], measured.values[seen])
    predicted = benchmark.predict([measured.architectures[row] for row in held_out])
    assert kendall(predicted, measured.values[held_out]) > 0.9
    for part in benchmark.predict_by_part(
        [measured.architectures[row] for row in held_out]
    ).values():
        # Each is good by itself, and their mean at least as good, but for a hundredth.
        assert (
            0.88
            < kendall(part, measured.values[held_out])
            < kendall(predicted, measured.values[held_out]) + 0.01
        )


@given(seed=st.integers(0, 2**32))
def test_any_architecture_has_a_value_that_it_could_have(
    benchmark: SurrogateBenchmark, measured: Measurements, seed: int
) -> None:
    (architecture,) = SPACE.sample(1, seed)
    (value,) = benchmark.predict([architecture])
    assert np.isfinite(value)
    assert measured.values.min() - 5 < value < measured.values.max() + 5


def test_a_search_measures_by_it_and_the_same_rows_give_the_same_values(
    measured: Measurements, tmp_path: Path
) -> None:
    architectures, values = measured.architectures[:400], measured.values[:400]
    benchmark = SurrogateBenchmark(SPACE).fit(architectures, values)
    table = tmp_path / "few.csv"
    pairs = zip(map(SPACE.format, architectures), values.tolist(), strict=True)
    lines = [f"{text},{value!r}" for text, value in pairs]
    table.write_text("\n".join(["arch,imagenet_top1", *lines]))
    measure = read_objective(f"surrogate:{table}:imagenet_top1", SPACE)
    architectures = SPACE.sample(50, seed=0)
    for architecture, value in zip(architectures, benchmark.predict(architectures), strict=True):
        assert measure(architecture) == pytest.approx(value, rel=1e-12)
