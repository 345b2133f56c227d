"""The exact objective of a guide, its limits apart, on index arrays: each architecture asked once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance import Bound, Guidance, Property
from diffusionnag.guidance.feasibility import limits_of
from diffusionnag.guidance.properties import Slope
from diffusionnag.guidance.terms import Scaled, Sum
from diffusionnag.spaces import SearchSpace

CHUNK = 2_048
"""Architectures that are judged together."""
OUTSIDE = -1e9
"""What a standardised shortfall of 1 counts; no score is as low."""
TOLERANCE = 1e-5
"""Standardised; within so much of a bound, rounding decides, and `Bound.keeps` is asked."""


@dataclass(frozen=True)
class Judgement:
    """What is asked of architectures: a score to be raised, and how far each bound is away.

    Higher scores are better; a negative `room`, standardised, breaks a limit.
    """

    score: np.ndarray
    """`batch` float64; `batch x properties` where several are asked for apart (`Goals`)."""
    room: np.ndarray
    """`batch x limits` float64."""

    @property
    def shortfall(self) -> np.ndarray:
        """How far all limits together are from being kept, `batch`; 0 where they are kept."""
        return (-self.room - TOLERANCE).clip(0).sum(1)


class Objective:
    """The guide's terms as a score, and its limits as what must hold before any score counts.

    The score is the log-likelihood of the terms without limits; with `cautious` k, a property that
    is raised or lowered counts by its mean less k of its deviations. Raises DiffusionNAGError for a
    guide of another space, limits that nothing keeps, or a guide of limits alone.
    """

    score_shape: tuple[int, ...] = ()

    def __init__(self, guide: Guidance, space: SearchSpace, cautious: float = 0.0) -> None:
        self.space = space
        self.cautious = cautious
        self.limits = limits_of(guide, space)
        self.terms = [term for term in _weighted_terms(guide) if not isinstance(term[1], Bound)]
        if not self.terms:
            raise DiffusionNAGError(
                "limits alone do not say which architectures are best; add a guide, or sample"
            )

    def judge(self, operations: np.ndarray) -> Judgement:
        """Return the judgement of architectures, `batch x N` indices."""
        return _judged(self._score, self.limits, self.space, operations)

    def slopes(self, operations: np.ndarray) -> np.ndarray:
        """Return the gradients of the score and of each room, `batch x (1 + limits) x N x F`."""
        gradients = []
        for function in (self._score, *(limit.room for limit in self.limits)):
            x = torch.from_numpy(self.space.one_hot(operations)).requires_grad_()
            (gradient,) = torch.autograd.grad(function(x).sum(), x)
            gradients.append(gradient.numpy())
        return np.stack(gradients, axis=1)

    def _score(self, x: Tensor) -> Tensor:
        total, sigma = x.new_zeros(len(x)), x.new_zeros(len(x))
        for weight, term in self.terms:
            if self.cautious and isinstance(term, Slope):
                mean, std = term.property.distribution(x, sigma)
                strength = weight * term.scale
                total = total + strength * mean - self.cautious * abs(strength) * std
            else:
                total = total + weight * term.log_likelihood(x, sigma, x)
        return total


@dataclass(frozen=True)
class Goals:
    """Several properties as scores of their own, all to be raised, and limits on all of them.

    A score is a standardised mean, its sign turned where less is better, less `cautious` deviations.
    """

    space: SearchSpace
    properties: tuple[Property, ...]
    directions: tuple[int, ...]
    limits: list[Bound]
    cautious: float = 0.0

    @property
    def score_shape(self) -> tuple[int, ...]:
        """The shape of what one architecture scores."""
        return (len(self.properties),)

    def judge(self, operations: np.ndarray) -> Judgement:
        """Return the judgement of architectures, `batch x N` indices."""
        return _judged(self._scores, self.limits, self.space, operations)

    def _scores(self, x: Tensor) -> Tensor:
        columns = []
        for property_, direction in zip(self.properties, self.directions, strict=True):
            mean, std = property_.distribution(x, x.new_zeros(len(x)))
            columns.append(direction * mean - self.cautious * std)
        return torch.stack(columns, dim=1)


Judge = TypeVar("Judge", Objective, Goals)


@dataclass
class Pool(Generic[Judge]):
    """Distinct valid architectures with their judgements, in the order in which they were found."""

    objective: Judge
    operations: np.ndarray = field(init=False)
    """`architectures x N` indices."""
    score: np.ndarray = field(init=False)
    room: np.ndarray = field(init=False)
    shortfall: np.ndarray = field(init=False)
    kept: np.ndarray = field(init=False)
    """Which rows were found to keep every limit by the limits' own word, bool."""
    _known: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.operations = np.zeros((0, len(self.objective.space.nodes)), dtype=np.int16)
        self.score = np.zeros((0, *self.objective.score_shape))
        self.shortfall = np.zeros(0)
        self.kept = np.zeros(0, dtype=bool)
        self.room = np.zeros((0, len(self.objective.limits)))

    def __len__(self) -> int:
        return len(self.operations)

    def add(self, operations: np.ndarray) -> int:
        """Judge what is valid and new among rows of allowed operations; return how many were."""
        operations = operations.astype(np.int16)
        new = self._unknown(operations)
        if self.objective.space.has_twins and len(new):
            new = self._unknown(self.objective.space.canonical(new).astype(np.int16))
        new = new[self.objective.space.obeys_rule(new)]
        if not len(new):
            return 0
        self._known.update(row.tobytes() for row in new)
        judged = self.objective.judge(new)
        self.operations = np.concatenate([self.operations, new])
        self.score = np.concatenate([self.score, judged.score])
        self.room = np.concatenate([self.room, judged.room])
        self.shortfall = np.concatenate([self.shortfall, judged.shortfall])
        self.kept = np.concatenate([self.kept, np.zeros(len(new), dtype=bool)])
        return len(new)

    def best(self, count: int, diverse: float = 0.0) -> np.ndarray:
        """Return the best `count` rows, best first; all that break a limit come last.

        With `diverse`, only rows that differ in that share of their choices from every better one;
        there may be fewer of them.
        """
        value = value_of(self.score, self.shortfall)
        several = count < len(self) and not diverse
        rows = np.argpartition(-value, count - 1)[:count] if several else np.arange(len(self))
        rows = rows[np.lexsort((rows, -value[rows]))]
        return self._unlike(rows, count, diverse) if diverse else rows

    def _unlike(self, rows: np.ndarray, count: int, share: float) -> np.ndarray:
        free = self.objective.space.allowed.sum(1) > 1
        choices = self.operations[:, free]
        least = share * free.sum() - 1e-9
        chosen: list[int] = []
        while len(rows) and len(chosen) < count:
            chosen.append(int(rows[0]))
            differing = (choices[rows[1:]] != choices[rows[0]]).sum(1)
            rows = rows[1:][differing >= least]
        return np.array(chosen, dtype=np.intp)

    def _unknown(self, operations: np.ndarray) -> np.ndarray:
        rows = {row.tobytes(): place for place, row in enumerate(operations)}
        return operations[[place for key, place in rows.items() if key not in self._known]]


def value_of(score: np.ndarray, shortfall: np.ndarray) -> np.ndarray:
    """Return one number to rank by: the score within the limits, less than any score outside."""
    return np.where(shortfall > 0, OUTSIDE * (1 + shortfall), score)


def _weighted_terms(guide: Guidance, weight: float = 1.0) -> Iterator[tuple[float, Guidance]]:
    if isinstance(guide, Sum):
        for term in guide.terms:
            yield from _weighted_terms(term, weight)
    elif isinstance(guide, Scaled):
        yield from _weighted_terms(guide.guidance, weight * guide.weight)
    else:
        yield weight, guide


def _judged(
    score: Callable[[Tensor], Tensor],
    limits: Sequence[Bound],
    space: SearchSpace,
    operations: np.ndarray,
) -> Judgement:
    scores, rooms = [], []
    with torch.no_grad():
        for start in range(0, len(operations), CHUNK):
            x = torch.from_numpy(space.one_hot(operations[start : start + CHUNK]))
            scores.append(score(x).double().numpy())
            rooms.append(_stacked([limit.room(x) for limit in limits], x))
    return Judgement(np.concatenate(scores), np.concatenate(rooms))


def _stacked(rooms: list[Tensor], x: Tensor) -> np.ndarray:
    return torch.stack(rooms, dim=1).double().numpy() if rooms else np.zeros((len(x), 0))
