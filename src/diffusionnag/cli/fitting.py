"""How commands that measure random architectures fit a predictor of them: with progress, judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from rich.progress import Progress, TaskID

    from diffusionnag.predictors import PropertyPredictor
    from diffusionnag.spaces import SearchSpace
    from diffusionnag.tables import Measurements

FOLDS = 5


def fit_shown(
    space: SearchSpace,
    column: str,
    measured: Measurements,
    seed: int,
    bar: Progress,
    task: TaskID,
    *,
    aspects: Mapping[str, np.ndarray] | None = None,
) -> PropertyPredictor:
    """Return a predictor cross-validated in five parts; a task of a progress bar shows each.

    `aspects` are as `PropertyPredictor.fit` has them.
    """
    from diffusionnag.predictors import fit_judged, held_out_parts

    parts = held_out_parts(len(measured.values), FOLDS, seed)
    bar.reset(task, description="fitting", total=len(parts) + 1)
    predictor, _ = fit_judged(
        space,
        column,
        measured,
        parts,
        aspects=aspects,
        seed=seed,
        report=lambda done, note: bar.update(task, completed=done, note=note),
    )
    return predictor
