"""How architectures are drawn: what every way of generating has in common."""

from __future__ import annotations

from dataclasses import dataclass

from diffusionnag.diffusion.guided import Strength


@dataclass(frozen=True)
class Sampling:
    """Solver, steps, seed and strength of guidance; None stands for the generator's own choice.

    The same seed gives the same architectures. A solver is one of
    `diffusionnag.diffusion.solvers.SOLVERS`; `steps` are its steps, at least 1. The generator's own
    strength is 1 at every noise level; its gradient goes through the network only where the wiring is
    generated, or the network knows no probabilities.
    """

    solver: str | None = None
    steps: int | None = None
    seed: int = 0
    strength: Strength | None = None
