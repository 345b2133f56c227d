"""What `search` shows of the architectures that it measured."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial
from rich.markup import escape
from rich.table import Table

from diffusionnag.cli.console import unit
from diffusionnag.search.study import value_of
from diffusionnag.search.trials import recorded_architecture
from diffusionnag.spaces import SearchSpace


def best_table(
    space: SearchSpace, trials: Sequence[FrozenTrial], top: int, minimize: bool
) -> Table:
    """Return the `top` trials with the best values, of trials that have one, best first."""
    sign = 1 if minimize else -1
    ranked = sorted(trials, key=lambda trial: sign * value_of(trial))[:top]
    table = Table(box=None, header_style="bold")
    table.add_column("")
    table.add_column("architecture", overflow="fold")
    table.add_column("measured", justify="right")
    table.add_column("trial", justify="right")
    names = list(space.analytic_properties(space.sample(1, 0)[0]))
    for name in names:
        table.add_column(f"{escape(name)}{unit(name)}", justify="right")
    for place, trial in enumerate(ranked, start=1):
        architecture = recorded_architecture(space, trial)
        assert architecture is not None
        analytic = space.analytic_properties(architecture)
        cells = [f"{analytic[name]:.3f}" for name in names]
        text = escape(space.format(architecture))
        table.add_row(str(place), text, f"{value_of(trial):.6g}", str(trial.number), *cells)
    return table
