"""What networks are built for: what goes in, what comes out, and by which value they are judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from diffusionnag.errors import DiffusionNAGError

BYTE_TOKENS = 257
"""Tokens of a text in bytes: each byte is its value plus 1, and 0 stands behind the end of a text."""
IMAGE_CHANNELS = 3
LOWER_IS_BETTER = ("bits_per_byte", "cross_entropy", "perplexity", "rmse", "loss")
"""Metrics of which less is better; of all others more is."""


class Task:
    """What a network is built for; its builder reads off what the modules need.

    Inputs are `batch x *input_shape`, floats, or int64 tokens below `vocabulary` where that is not 0;
    networks return `batch x *output_shape`, floats. `outputs` is the last number of that shape.
    """

    kind: ClassVar[str]
    metric: ClassVar[str] = "accuracy"
    """The value that networks are compared by."""
    inputs: ClassVar[str]
    """What a network takes, as a word."""
    vocabulary: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """How many numbers a network returns; of a language model, for each token."""
        return self.output_shape[-1]

    @property
    def example(self) -> str:
        """One input in words."""
        return f"one of {self.inputs}, {' x '.join(map(str, self.input_shape))}"


class _OnImages(Task):
    inputs = "images"
    vocabulary = 0
    resolution: int

    @property
    def input_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (IMAGE_CHANNELS, self.resolution, self.resolution)

    @property
    def example(self) -> str:
        return f"an image of {self.resolution} pixels"


@dataclass(frozen=True)
class ImageClassification(_OnImages):
    """Telling `classes` apart in images of `resolution` pixels; `3 x resolution x resolution` go in.

    `width` is a factor on all numbers of channels, for spaces whose networks come in several, and
    `cells` how many a stage has, for spaces of cells; None is the space's own number.
    """

    kind = "image_classification"
    classes: int = 10
    resolution: int = 32
    width: float = 1.0
    cells: int | None = None

    @property
    def output_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """A logit for each class."""
        return (self.classes,)


@dataclass(frozen=True)
class ImageRegression(_OnImages):
    """Telling one number from images of `resolution` pixels; `width` as for classification."""

    kind = "image_regression"
    metric = "rmse"
    resolution: int = 32
    width: float = 1.0
    output_shape = (1,)


class _OnTexts(Task):
    inputs = "tokens"
    context: int

    @property
    def input_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.context,)

    @property
    def example(self) -> str:
        return f"a text of {self.context} tokens"


@dataclass(frozen=True)
class TextClassification(_OnTexts):
    """Telling `classes` apart in texts of at most `context` tokens; shorter ones end in zeros."""

    kind = "text_classification"
    classes: int = 2
    vocabulary: int = BYTE_TOKENS
    context: int = 128

    @property
    def output_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """A logit for each class."""
        return (self.classes,)


@dataclass(frozen=True)
class LanguageModelling(_OnTexts):
    """Predicting each next token of a text, from at most `context` tokens: a logit for each token.

    A network must not look at later tokens than the one after which it predicts.
    """

    kind = "language_modelling"
    metric = "bits_per_byte"
    vocabulary: int = BYTE_TOKENS
    context: int = 128

    @property
    def output_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Logits of the token that follows each."""
        return (self.context, self.vocabulary)


class _OnTables(Task):
    inputs = "features"
    vocabulary = 0
    features: int

    @property
    def input_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.features,)

    @property
    def example(self) -> str:
        return f"a row of {self.features} features"


@dataclass(frozen=True)
class TabularClassification(_OnTables):
    """Telling `classes` apart in rows of numbers, each standardised."""

    kind = "tabular_classification"
    features: int = 16
    classes: int = 2

    @property
    def output_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """A logit for each class."""
        return (self.classes,)


@dataclass(frozen=True)
class TabularRegression(_OnTables):
    """Telling one number from rows of numbers; all are standardised."""

    kind = "tabular_regression"
    metric = "rmse"
    features: int = 16
    output_shape = (1,)


@dataclass(frozen=True)
class NodeClassification(Task):
    """Telling `classes` apart among the nodes of a graph, each with `features`: a `Graph` goes in.

    What other tasks call a batch is here the nodes of one graph. `width` is that of the layers, and
    with a `hidden_head` of 1 the head has a linear layer before the last one: of the benchmark's
    networks for Cora, and for those of PubMed it has none (0).
    """

    kind = "node_classification"
    inputs = "graphs"
    vocabulary = 0
    features: int = 1433
    classes: int = 7
    width: int = 256
    hidden_head: int = 1

    @property
    def input_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The features of a node."""
        return (self.features,)

    @property
    def output_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """A logit for each class."""
        return (self.classes,)

    @property
    def example(self) -> str:
        """One input in words."""
        return f"a node of a graph, with {self.features} features"


@dataclass(frozen=True)
class OwnTask(Task):
    """Whatever the user's own function trains for: tensors of these shapes go in and come out.

    Inputs are floats, or tokens where there is a `vocabulary`.
    """

    kind = "own"
    inputs = "inputs"
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    vocabulary: int = 0


TASKS: dict[str, type[Task]] = {
    task.kind: task
    for task in (
        ImageClassification,
        ImageRegression,
        TextClassification,
        LanguageModelling,
        TabularClassification,
        TabularRegression,
        NodeClassification,
        OwnTask,
    )
}
"""The tasks by the names that declarations and model files have for them."""


def task_as_json(task: Task) -> dict[str, Any]:
    """Return a task as `task_from_json` reads it."""
    values = {field.name: getattr(task, field.name) for field in fields(task)}  # type: ignore[arg-type]
    return {"kind": task.kind} | {n: value for n, value in values.items() if value is not None}


def task_from_json(content: Mapping[str, Any]) -> Task:
    """Return the task of a mapping: its `kind`, and the numbers that its dataclass has.

    A number may be written as a text. Raises DiffusionNAGError for an unknown kind or entry, a whole
    number below 1, a factor that is not above 0, and what is no number.
    """
    entries = dict(content)
    kind = entries.pop("kind", None)
    if kind not in TASKS:
        raise DiffusionNAGError(f"no kind of task {kind!r}; known: {', '.join(TASKS)}")
    known = {field.name: str(field.type) for field in fields(TASKS[kind])}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in entries.items():
        if name not in known:
            raise DiffusionNAGError(f"a task of {kind} has no {name!r}; it has {', '.join(known)}")
        values[name] = _numbers(name, value, known[name])
    missing = [name for name in ("input_shape", "output_shape") if name in known]
    missing = [name for name in missing if name not in values]
    if missing:
        raise DiffusionNAGError(
            f"a task of your own needs `{missing[0]}`, numbers without the batch"
        )
    return TASKS[kind](**values)


def _numbers(name: str, value: Any, kind: str) -> Any:
    is_list, is_whole = kind.startswith("tuple"), kind != "float"
    given = value if is_list else [value]
    try:
        if not isinstance(given, list | tuple) or not given:
            raise TypeError(value)
        numbers = tuple(map(_whole if is_whole else float, given))
    except (TypeError, ValueError, OverflowError) as error:
        what = "a whole number" if is_whole else "a number"
        what = "a list of whole numbers" if is_list else what
        raise DiffusionNAGError(f"`{name}` of the task should be {what}, not {value!r}") from error
    least = 0 if name in ("vocabulary", "hidden_head") else 1
    if is_whole and min(numbers) < least:
        raise DiffusionNAGError(f"`{name}` of the task is {value}; it must be at least {least}")
    if not is_whole and not 0 < numbers[0] < math.inf:
        raise DiffusionNAGError(f"`{name}` of the task is {value}; it must be above 0")
    return numbers if is_list else numbers[0]


def _whole(value: Any) -> int:
    number = int(value)
    if isinstance(value, float) and number != value:
        raise ValueError(value)
    return number


def is_better(metric: str, value: float, other: float) -> bool:
    """Whether a value of a metric is better than another one."""
    return value < other if metric in LOWER_IS_BETTER else value > other
