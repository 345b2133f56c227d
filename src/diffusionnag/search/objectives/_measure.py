"""What measures an architecture, and how it is asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

from optuna.trial import Trial

from diffusionnag.spaces import Architecture

Values = float | Sequence[float] | Mapping[str, float]
"""What is measured: a value, the values of several objectives in their order, or values by name."""
Measure = Callable[..., Values]
"""What measures an architecture.

It is called with the architecture, and with Optuna's trial if it has a parameter `trial`.
"""


class MeasurementError(Exception):
    """An architecture has no value; the message says why. The search continues without it."""


class MissingValueError(MeasurementError):
    """What was measured has no value of a name that was asked for."""


def ask(measure: Measure, architecture: Architecture, trial: Trial | None) -> Values:
    """Return what is measured of an architecture; the trial is given to what has a place for it."""
    try:
        wanted = "trial" in inspect.signature(measure).parameters
    except (TypeError, ValueError):  # some built-in functions have no signature
        wanted = False
    return measure(architecture, trial=trial) if wanted else measure(architecture)
