"""The predictor of ImageNet accuracy: what it was taught by, and what ships of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffusionnag import get_search_space
from diffusionnag.predictors import PropertyPredictor, prediction_quality, spearman
from diffusionnag.tables import read_table
from experiments.shipped_models import distilled as module
from experiments.shipped_models.distilled import Teacher, distilled, split

SPACE = get_search_space("mobilenetv3")


def accuracy(macs: np.ndarray, resolution: np.ndarray) -> np.ndarray:
    """Return accuracies that rise with MACs, less so at low resolutions."""
    return 60 + macs / 50 + resolution / 100 * (1 + macs / 1_000)


def test_a_student_learns_what_the_teacher_says(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = SPACE.sample(120, 0)
    macs = np.array([SPACE.analytic_properties(each)["macs"] for each in drawn])
    resolution = np.tile([128.0, 192.0, 224.0, 224.0], 30)
    values = accuracy(macs, resolution)
    teacher = Teacher(SPACE, drawn, resolution, values)
    fresh = SPACE.sample(60, 1)
    true = np.array([SPACE.analytic_properties(each)["macs"] for each in fresh])
    for at in (128.0, 160.0, 224.0):
        said = teacher.predict(fresh, np.full(60, at))
        assert spearman(said, true) > 0.8
        assert abs(float((said - accuracy(true, np.full(60, at))).mean())) < 0.3
    monkeypatch.setattr(module, "RANDOM", 200)
    monkeypatch.setattr(module, "MUTATED", 400)
    student = PropertyPredictor(
        SPACE, "top1", model="ensemble", width=32, conditions=["resolution"]
    )
    distilled(student, drawn, values, conditions=resolution[:, None], steps=150)
    predicted, _ = student.under(resolution=224.0).predict(fresh)
    assert spearman(predicted, teacher.predict(fresh, np.full(60, 224.0))) > 0.8


def test_the_shipped_predictor_knows_what_it_did_not_see(data_folder: Path) -> None:
    table = read_table(data_folder / "mobilenetv3_ofa_imagenet.parquet")
    held_out, learnt = split(table.architectures)
    assert not {table.architectures[row] for row in held_out} & {
        table.architectures[row] for row in learnt
    }
    rows = held_out[table.columns["resolution"][held_out] == 224]
    predictor = PropertyPredictor.from_pretrained("imagenet_top1", search_space=SPACE)
    mean, std = predictor.predict([SPACE.parse(table.architectures[row]) for row in rows])
    quality = prediction_quality(mean, std, table.columns["imagenet_top1"][rows])
    assert quality["Spearman"] >= 0.996
    assert quality["mean absolute error"] <= 0.07
