"""What trainings that were ended early still tell: their values at the step that all had reached."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from diffusionnag.predictors import FEWEST_ARCHITECTURES, PropertyPredictor
from diffusionnag.search.proposers import gaussian_process, representative
from diffusionnag.search.trials import Measured
from diffusionnag.spaces import Architecture, SearchSpace


def early_predictor(
    space: SearchSpace, trials: Sequence[tuple[FrozenTrial, Architecture]], sign: int, seed: int
) -> PropertyPredictor | None:
    """Return a predictor of the values that trials reported at an early step, more being better.

    The step is the last that every pruned trial reached, so that pruned and finished ones are compared
    alike; of more than 200 it learns from the best, and from others spread over the rest. None where
    no trial was pruned, where fewer than 5 reported at that step, or all the same.
    """
    pruned = [trial for trial, _ in trials if trial.state == TrialState.PRUNED]
    reached = [max(trial.intermediate_values) for trial in pruned if trial.intermediate_values]
    if not reached:
        return None
    step = min(reached)
    reported = [
        Measured(architecture, (sign * trial.intermediate_values[step],))
        for trial, architecture in trials
        if trial.state in (TrialState.PRUNED, TrialState.COMPLETE)
        and math.isfinite(trial.intermediate_values.get(step, math.nan))
    ]
    known = representative(reported)
    values = np.array([each.value for each in known])
    if len(known) < FEWEST_ARCHITECTURES or not np.ptp(values) > 0:
        return None
    return gaussian_process(space).fit([each.architecture for each in known], values, seed=seed)
