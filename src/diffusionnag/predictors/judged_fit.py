"""A predictor fitted on all measurements, and judged by others that were fitted on some of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from diffusionnag.guidance.properties import Property
from diffusionnag.predictors.cross_validation import HeldOut, predict_held_out
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.predictors.quality import prediction_quality
from diffusionnag.spaces import SearchSpace
from diffusionnag.tables import Measurements


def fit_judged(
    space: SearchSpace,
    property_name: str,
    measured: Measurements,
    parts: Sequence[np.ndarray],
    *,
    aspects: Mapping[str, np.ndarray] | None = None,
    noise_aware: bool = False,
    starts_from: Sequence[Property] = (),
    seed: int = 0,
    report: Callable[[float, str], None] = lambda done, note: None,
) -> tuple[PropertyPredictor, HeldOut]:
    """Return a predictor of measured values, and what others predicted of each part held out.

    `parts` are those of `held_out_parts`; the predictor's `about.quality` says how good the held-out
    predictions are, if there are any. `aspects` are as `PropertyPredictor.fit` has them, `starts_from`
    as `PropertyPredictor` has it. `report` is given how many fits, of one more than there are parts,
    are done. Raises DiffusionNAGError as `PropertyPredictor.fit` does.
    """
    fits = itertools.count()

    def fitted(
        rows: np.ndarray, aspects: Mapping[str, np.ndarray] | None = None
    ) -> PropertyPredictor:
        done = next(fits)
        note = f"without part {done + 1}, to measure the error" if done < len(parts) else "all"
        predictor = PropertyPredictor(
            space, property_name, noise_aware=noise_aware, starts_from=starts_from
        )
        return predictor.fit(
            [measured.architectures[row] for row in rows],
            measured.values[rows],
            aspects=aspects,
            seed=seed,
            report=lambda step, steps: report(done + step / steps, note),
        )

    def predict(seen: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return fitted(seen).predict([measured.architectures[row] for row in part])

    held_out = predict_held_out(predict, measured.values, parts)
    predictor = fitted(np.arange(len(measured.values)), aspects)
    quality = prediction_quality(held_out.mean, held_out.std, held_out.true) if parts else {}
    predictor.about.quality = {
        f"{name}, {how_judged(parts)}": value
        for name, value in quality.items()
        if np.isfinite(value)
    }
    return predictor, held_out


def how_judged(parts: Sequence[np.ndarray]) -> str:
    """Return in words on what predictions were judged that were held out in these parts."""
    return "cross-validated" if len(parts) > 1 else "on a held-out tenth"
