"""What measures an architecture, and how it is asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from optuna.trial import Trial

from diffusionnag.spaces import Architecture

Measure = Callable[..., float | Mapping[str, float]]
"""What measures an architecture: its value, or several values by name.

It is called with the architecture, and with Optuna's trial if it has a parameter `trial`.
"""


class MeasurementError(Exception):
    """An architecture has no value; the message says why. The search continues without it."""


def ask(
    measure: Measure, architecture: Architecture, trial: Trial | None
) -> float | Mapping[str, float]:
    """Return what is measured of an architecture; the trial is given to what has a place for it."""
    try:
        wanted = "trial" in inspect.signature(measure).parameters
    except (TypeError, ValueError):  # some built-in functions have no signature
        wanted = False
    return measure(architecture, trial=trial) if wanted else measure(architecture)
