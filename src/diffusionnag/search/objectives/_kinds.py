"""The kinds of objectives by name, and the texts `KIND:SOURCE:NAME` that ask for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from diffusionnag._user_code import import_user_code
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance import analytic_names
from diffusionnag.networks import count_property, counted_names
from diffusionnag.search.objectives._command_objective import PRINTED, CommandObjective
from diffusionnag.search.objectives._measure import Measure
from diffusionnag.search.objectives._table_objectives import (
    read_surrogate_objective,
    read_table_objective,
)
from diffusionnag.spaces import SearchSpace
from diffusionnag.tables import split_table

TRAIN_SECONDS = "train_seconds"
"""What a training takes, beside the metrics that it reaches."""


@dataclass(frozen=True)
class Kind:
    """One way to measure.

    `split` divides what stands behind the kind's name into a source and the name of a value; `read`
    returns what measures it.
    """

    split: Callable[[str, SearchSpace], tuple[str, str]]
    read: Callable[[str, str, SearchSpace], Measure]
    looked_up: bool = False
    """Whether values are known before; each then has a source of its own. Others measure several at once."""
    reports: bool = False
    """Whether it may tell a trial how far it has got, so that a pruner can end it."""
    cost: str | None = None
    """The measured value that says what a measurement costs."""
    trained: bool = False
    """Whether values are metrics of a trained network, of which some are errors: less is better."""


def _split_function(text: str, space: SearchSpace) -> tuple[str, str]:
    """Return `FILE.py:FUNCTION` and the value's name, the function's own unless `:NAME` follows."""
    file, end, names = text.rpartition(".py:")
    module, _, names = (file + ".py", end, names) if end else text.partition(":")
    function, _, value = names.partition(":")
    return (f"{module}:{function}", value or function) if module and function else ("", "")


def _read_function(source: str, name: str, space: SearchSpace) -> Measure:
    module, _, function = source.rpartition(":")
    measure = getattr(import_user_code(module, f"python:{source}"), function, None)
    if not callable(measure):
        raise DiffusionNAGError(f"{module} defines no function {function!r}")
    return cast(Measure, measure)


def _read_property(name: str, _: str, space: SearchSpace) -> Measure:
    if name in counted_names(space):
        return lambda architecture: count_property(space, architecture, name)
    if name not in analytic_names(space):
        known = ", ".join([*analytic_names(space), *counted_names(space)]) or "none"
        raise DiffusionNAGError(f"{space.name} has no analytic property {name!r}; it has {known}")
    return lambda architecture: space.analytic_properties(architecture)[name]


def _split_training(text: str, space: SearchSpace) -> tuple[str, str]:
    """Return `DATA[,OPTION=VALUE]...` and the metric that networks of the space have on such data."""
    from diffusionnag.networks import metric_of

    return text, metric_of(text.split(",", 1)[0], space)


def _read_training(source: str, name: str, space: SearchSpace) -> Measure:
    # What trains is an extra of its own.
    from diffusionnag.search.objectives._training_objective import read_training

    return read_training(source, space)


def _split_supernet(text: str, space: SearchSpace) -> tuple[str, str]:
    from diffusionnag.search.objectives._supernet_objective import split_supernet

    return split_supernet(text, space)


def _read_supernet(source: str, name: str, space: SearchSpace) -> Measure:
    # What reads images is an extra of its own.
    from diffusionnag.search.objectives._supernet_objective import read_supernet

    return read_supernet(source, name, space)


KINDS = {
    "table": Kind(split_table, read_table_objective, looked_up=True),
    "surrogate": Kind(split_table, read_surrogate_objective, looked_up=True),
    "python": Kind(_split_function, _read_function, reports=True),
    "training": Kind(
        _split_training, _read_training, reports=True, cost=TRAIN_SECONDS, trained=True
    ),
    "supernet": Kind(_split_supernet, _read_supernet, trained=True),
    "command": Kind(
        lambda text, _: (text, PRINTED), lambda command, _, space: CommandObjective(space, command)
    ),
    "analytic": Kind(lambda text, _: (text, text), _read_property, looked_up=True),
}
"""What may stand before the first colon of an objective."""


@dataclass(frozen=True)
class ObjectiveText:
    """An objective as it was asked for: its kind, the table, file, images or command, and a name."""

    kind: str
    source: str
    name: str

    @classmethod
    def parse(cls, text: str, space: SearchSpace) -> ObjectiveText | None:
        """Return what `KIND:...` asks for, None for a text that names no kind.

        Raises DiffusionNAGError where what stands behind the kind is incomplete.
        """
        kind, colon, rest = text.partition(":")
        if not colon or kind not in KINDS:
            return None
        source, name = KINDS[kind].split(rest, space)
        if not source or not name:
            raise malformed(text)
        return cls(kind, source, name)

    def read(self, space: SearchSpace) -> Measure:
        """Return what measures; raises DiffusionNAGError as `read_objective` does."""
        return KINDS[self.kind].read(self.source, self.name, space)


def read_objective(text: str, space: SearchSpace) -> Measure:
    """Return what measures an architecture, as a text says.

    They are `table:TABLE:COLUMN`, `surrogate:TABLE:COLUMN`, `python:FILE.py:FUNCTION[:NAME]`,
    `training:DATA` (see `read_training`), `supernet:FOLDER`, `command:COMMAND` and `analytic:NAME`.
    A table is a file or an installed one. An architecture that it does not have raises MeasurementError; a
    surrogate learns from its rows, and has a value for each. Raises DiffusionNAGError for any other
    text; for a table that is missing, damaged, of another space, or without the column; for code
    that cannot be loaded, or has no such function; and for images that cannot be used.
    """
    objective = ObjectiveText.parse(text, space)
    if objective is None:
        raise malformed(text)
    return objective.read(space)


def malformed(text: str) -> DiffusionNAGError:
    """Return the error for an objective that cannot be read."""
    return DiffusionNAGError(
        f"the objective {text!r} should read like 'table:measured.csv:accuracy', "
        "'table:nasbench201_accuracy:cifar10_test_200ep' for an installed table, "
        "'surrogate:mnasnet_imagenet:imagenet_top1' for what is learnt from one, "
        "'python:measure.py:accuracy' for a function, 'training:images,epochs=20' for training, or be "
        "the name of an analytic property of the space"
    )
