"""Once-for-All's own predictor as a benchmark: weights made up, and the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffusionnag import get_search_space
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.predictors import spearman
from diffusionnag.search import read_objective
from diffusionnag.tables import DATA_FOLDER_VARIABLE, read_table
from diffusionnag.tables.ofa_benchmark import OnceForAllBenchmark, OnceForAllPredictor

SPACE = get_search_space("mobilenetv3")
OBJECTIVE = "surrogate:mobilenetv3_ofa:imagenet_top1@224"


def counting_predictor() -> OnceForAllPredictor:
    """Return a predictor whose score is 100 times the number of kernels of 7, and 1 at 224 pixels."""
    first = np.zeros((1, 128))
    first[0, 2:60:3], first[0, 127] = 1, 0.01
    weights = {"0.weight": first, "0.bias": np.zeros(1)}
    for name in ("2", "4", "6"):
        weights |= {f"{name}.weight": np.ones((1, 1)), f"{name}.bias": np.zeros(1)}
    return OnceForAllPredictor(SPACE, weights)


def test_slots_kernels_and_resolutions_stand_where_once_for_all_has_them() -> None:
    (architecture,) = SPACE.sample(1, 3)
    sevens = sum(name.startswith("7") for name in SPACE.operation_names(architecture))
    predictor = counting_predictor()
    assert predictor.scores([architecture], 224)[0] == pytest.approx(100 * sevens + 1)
    assert predictor.scores([architecture], 208)[0] == pytest.approx(100 * sevens)
    with pytest.raises(DiffusionNAGError, match="knows no 225, only 112, 128"):
        predictor.scores([architecture], 225)


def test_calibration_keeps_the_order_and_takes_the_scale() -> None:
    drawn = SPACE.sample(200, 0)
    predictor = counting_predictor()
    scores = predictor.scores(drawn, 224)
    noise = np.random.default_rng(0).normal(0, 0.05, len(drawn))
    benchmark = OnceForAllBenchmark(predictor, 224).fit(drawn, 60 + scores / 100 + noise)
    fresh = SPACE.sample(200, 1)
    predicted = benchmark.predict(fresh)
    assert spearman(predicted, predictor.scores(fresh, 224)) > 0.999
    np.testing.assert_allclose(predicted, 60 + predictor.scores(fresh, 224) / 100, atol=0.2)


def test_a_search_measures_by_it(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(data_folder))
    measure = read_objective(OBJECTIVE, SPACE)
    table = read_table(data_folder / "mobilenetv3_ofa_imagenet.parquet")
    measured = table.column("imagenet_top1@224")
    rows = np.flatnonzero(np.isfinite(measured))[::20].tolist()
    values = [measure(SPACE.parse(table.architectures[row])) for row in rows]
    assert spearman(np.array(values), measured[rows]) > 0.97  # pyright: ignore[reportArgumentType]
    assert np.abs(np.array(values) - measured[rows]).mean() < 0.3  # pyright: ignore[reportOperatorIssue]
    with pytest.raises(DiffusionNAGError, match="should end in the resolution: @160, @192, @224"):
        read_objective(OBJECTIVE.replace("224", "128"), SPACE)


def test_without_the_predictor_it_says_where_it_should_be(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "mobilenetv3_ofa_imagenet.parquet"
    (tmp_path / name).symlink_to(data_folder / name)
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(
        DiffusionNAGError, match=r"ofa_accuracy_predictor\.npz: no accuracy predictor"
    ):
        read_objective(OBJECTIVE, SPACE)
