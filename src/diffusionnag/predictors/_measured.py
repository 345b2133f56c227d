"""What can be learnt of measured architectures, and what cannot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables import nothing_to_learn
from diffusionnag.tables.measurements import FEWEST_ARCHITECTURES


def check_measured(
    space: SearchSpace, architectures: Sequence[Architecture], columns: Sequence[np.ndarray]
) -> None:
    """Raise DiffusionNAGError unless each of the columns, `count`, can be learnt of architectures."""
    for values in columns:
        if values.shape != (len(architectures),):
            raise DiffusionNAGError(
                f"{len(architectures)} architectures and {values.size} values: one value each"
            )
        if len(values) < FEWEST_ARCHITECTURES:
            raise DiffusionNAGError(
                f"{len(values)} measured architectures are too few to learn from; "
                f"at least {FEWEST_ARCHITECTURES} are needed"
            )
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DiffusionNAGError(f"value {row} is {values[row]}; leave such architectures out")
        if fault := nothing_to_learn(values):
            raise DiffusionNAGError(f"the values cannot be learnt: {fault}")
    for row, architecture in enumerate(architectures):
        validity = space.is_valid(architecture)
        if not validity:
            raise DiffusionNAGError(f"architecture {row} is not valid: {validity.reason}")
