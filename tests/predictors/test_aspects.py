"""A predictor that learns aspects besides its property."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diffusionnag import DiffusionNAGError, PropertyPredictor, get_search_space
from diffusionnag.predictors import spearman
from diffusionnag.spaces import Architecture

SPACE = get_search_space("nasbench201")
CELLS = list(dict.fromkeys(SPACE.sample(300, seed=0)))
LABELLED, OTHERS = CELLS[:100], CELLS[100:]


def counts(operation: str, cells: list[Architecture]) -> np.ndarray:
    """Return how often each cell has an operation, `batch`."""
    return np.array([SPACE.operation_names(cell).count(operation) for cell in cells], dtype=float)


ASPECTS = {name: counts(name, LABELLED) for name in ("nor_conv_3x3", "skip_connect")}


@pytest.fixture(scope="module")
def predictor() -> PropertyPredictor:
    """A predictor of how many convolutions there are less skip connections."""
    both = ASPECTS["nor_conv_3x3"] - ASPECTS["skip_connect"]
    return PropertyPredictor(SPACE, "both").fit(LABELLED, both, aspects=ASPECTS)


def test_aspects_are_predicted_besides_and_saved(
    predictor: PropertyPredictor, tmp_path: Path
) -> None:
    predictor.save_pretrained(tmp_path)
    assert "aspects | nor_conv_3x3, skip_connect" in (tmp_path / "README.md").read_text()
    x = torch.from_numpy(SPACE.encode(OTHERS)).double()
    for known in (predictor, PropertyPredictor.from_pretrained(tmp_path)):
        assert list(known.aspect_names) == ["both", "nor_conv_3x3", "skip_connect"]
        both, convolutions, skips = known.aspects(x).double().numpy().T
        np.testing.assert_allclose(both, known.standardised(x).numpy())
        for mean, name in ((convolutions, "nor_conv_3x3"), (skips, "skip_connect")):
            assert spearman(mean, counts(name, OTHERS)) > 0.9
    relaxed = x[:4].requires_grad_()
    predictor.aspects(relaxed).sum().backward()
    assert relaxed.grad is not None
    assert relaxed.grad.abs().sum() > 0


def test_a_property_is_its_own_aspect_where_no_more_is_known() -> None:
    values = ASPECTS["nor_conv_3x3"]
    predictor = PropertyPredictor(SPACE, "convolutions").fit(LABELLED, values)
    assert list(predictor.aspect_names) == ["convolutions"]
    x = torch.from_numpy(SPACE.encode(OTHERS))
    np.testing.assert_allclose(predictor.aspects(x)[:, 0], predictor.normal_score(OTHERS))


def test_aspects_that_cannot_be_learnt_are_one_line() -> None:
    def fit(predictor: PropertyPredictor, aspect: np.ndarray) -> None:
        predictor.fit(LABELLED, ASPECTS["skip_connect"], aspects={"other": aspect})

    ensemble = PropertyPredictor(SPACE, "skips", model="ensemble")
    with pytest.raises(DiffusionNAGError, match="only a Gaussian process learns aspects"):
        fit(ensemble, ASPECTS["nor_conv_3x3"])
    for aspect, message in (
        (np.ones(100), "all 100 values are 1"),
        (np.full(100, np.nan), "value 0 is nan"),
        (np.arange(9.0), "100 architectures and 9 values"),
    ):
        with pytest.raises(DiffusionNAGError, match=message):
            fit(PropertyPredictor(SPACE, "skips"), aspect)
