"""The best architectures that there are under a guide, within its limits."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from diffusionnag._seeds import numpy_generator
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation._moves import promising_moves
from diffusionnag.generation._objective import Goals, Objective, Pool
from diffusionnag.generation.samples import Samples, check_wanted
from diffusionnag.guidance import Guidance, Property, maximize
from diffusionnag.guidance.feasibility import keep_limits
from diffusionnag.networks import can_be_built
from diffusionnag.spaces import Architecture, SearchSpace

WHOLE = 30_000
"""A space of so many combinations, for each second, is ranked as a whole."""
DRAWN = 1_000
"""Uniform draws from which a climb starts."""
WIDTH = 64
"""Architectures that a climb improves side by side, so that one bad start does not decide.

No more than so many of the best are compared with every single change of theirs.
"""
TOGETHER = 64
"""Parents whose gradients are asked for at once."""
MOVES = 32
"""Moves from each parent that are judged exactly."""
PATIENCE = 3
"""Rounds without a better architecture after which the moves give way to single changes."""
GRACE = 3.0
"""A search is broken off after so many times the seconds it was given."""
SLOW_COUNT = 200
"""Above so many architectures wanted, the time given grows with their number."""
NEAR_A_BOUND = 1e-4
"""Standardised; what lies so near is asked of `Bound.keeps` before it is handed out."""


@dataclass(frozen=True)
class Best:
    """How the best architectures were found."""

    whole: bool
    """Whether every architecture of the space was predicted: then nothing is better."""
    predicted: int
    """How many architectures were predicted, each climb counted by itself."""
    rounds: int
    """In how many rounds a search asked for them; 0 for a whole space."""
    complete: bool
    """Whether the search ended by itself; False if time ran out first."""


def find_best(
    space: SearchSpace,
    count: int,
    *,
    guide: Guidance | Property,
    seconds: float = 1.0,
    diverse: float = 0.0,
    cautious: float = 0.0,
    seed: int = 0,
) -> Samples[Best]:
    """Return the `count` distinct architectures of highest guide that keep the limits, best first.

    A limit must hold and costs nothing while it does; weights count one guide against another.
    With `cautious` k, what is raised counts by its mean less k deviations. With `diverse`, any two
    differ in at least that share (0 to 1) of the nodes that have a choice.

    A space of up to 30,000 combinations for each of the `seconds` is ranked as a whole. In a larger
    one each second buys a climb: from 1,000 draws, the best 64 (`count`, if that is more) are
    changed at one node or two, where the gradients promise most, until none gets better; then the
    best `count` (64 at most) by every single change of theirs, until none helps. So the same seed
    finds the same, on a slow machine too: only a search that needs three times the `seconds` of
    computing (the more, the more are wanted above 200) is broken off, and then `details.complete`
    is False.

    Raises DiffusionNAGError for a count below 1, seconds that are not above 0, `diverse` outside
    of [0, 1], a negative `cautious`, a guide of another space or of limits alone, limits that
    nothing keeps, or where fewer than `count` are found that are asked for.
    """
    check_request(space, count, seconds, diverse, cautious)
    guide = maximize(guide) if isinstance(guide, Property) else guide
    pool = Pool(Objective(guide, space, cautious))
    whole = space.is_enumerable and space.combinations <= WHOLE * seconds
    predicted, rounds, complete = 0, 0, True
    if whole:
        for operations in space.enumerate_operations():
            pool.add(operations)
        predicted = len(pool)
    else:
        end = time.thread_time() + GRACE * seconds * max(1.0, count / SLOW_COUNT)
        rng = numpy_generator(seed)
        for left in reversed(range(max(1, int(seconds)))):
            # The last climb starts among the best of all others.
            climb = Climb(Pool(pool.objective) if left else pool, count, diverse, end)
            climb.run(space.sample_operations(DRAWN, rng))
            predicted += len(climb.pool)
            rounds += climb.rounds
            complete &= climb.complete
            if left:
                pool.add(climb.pool.operations[climb.pool.best(max(count, WIDTH), diverse)])
    architectures, unbuildable = _handed_out(pool, count, diverse)
    if len(architectures) < count:
        raise too_few(pool.objective, len(architectures), count, diverse, whole)
    details = Best(whole, predicted, rounds, complete)
    return Samples(architectures, [], 0, details, unbuildable)


@dataclass
class Climb:
    """A search from uniform draws upwards, all of its architectures being kept in a pool."""

    pool: Pool[Objective]
    count: int
    diverse: float
    end: float
    """The time of this thread at which it breaks off."""
    width: int = WIDTH
    rounds: int = 0
    complete: bool = False
    _last: frozenset[int] = frozenset()
    _unchanged: int = 0
    _moved: set[int] = field(default_factory=set)
    _surrounded: set[int] = field(default_factory=set)

    def run(self, start: np.ndarray) -> None:
        """Climb from some architectures until nothing gets better, or time is up."""
        pool, space = self.pool, self.pool.objective.space
        pool.add(start)
        while time.thread_time() < self.end:
            self.rounds += 1
            climbing = self._climbs()
            if climbing and (rows := self._next(max(self.count, self.width), self._moved)):
                pool.add(promising_moves(pool, np.array(rows), MOVES))
            elif rows := self._next(min(self.count, self.width), self._surrounded):
                around = (space.changes(pool.operations[row].tolist()) for row in rows)
                pool.add(np.array(list(chain.from_iterable(around))))
            else:
                self.complete = True
                return

    def _climbs(self) -> bool:
        """Whether the best `count` changed in one of the last rounds."""
        best = frozenset(self.pool.best(self.count, self.diverse).tolist())
        self._unchanged = self._unchanged + 1 if best == self._last else 0
        self._last = best
        return self._unchanged < PATIENCE

    def _next(self, count: int, done: set[int]) -> list[int]:
        """Return some rows of the best that are not done, and note them as done."""
        best = self.pool.best(count, self.diverse).tolist()
        rows = [row for row in best if row not in done][:TOGETHER]
        done.update(rows)
        return rows


def _handed_out(
    pool: Pool[Objective], count: int, diverse: float
) -> tuple[list[Architecture], int]:
    """Return the best of a pool but what a limit's own word excludes and what cannot be built.

    The number is that of the latter.
    """
    space, limits = pool.objective.space, pool.objective.limits
    unbuildable = 0
    while True:
        rows = pool.best(count, diverse)
        rows = rows[pool.shortfall[rows] == 0]
        near = [np.inf if limit.property.estimated else NEAR_A_BOUND for limit in limits]
        asked = (pool.room[rows] < near).any(1) | space.has_own_builder
        close = rows[asked & ~pool.kept[rows]]
        architectures = space.architectures(pool.operations[close].astype(np.int64))
        within = keep_limits(limits, architectures)
        keeps = can_be_built(space, architectures) & within
        unbuildable += int((within & ~keeps).sum())
        pool.kept[close[keeps]] = True
        if keeps.all():
            return space.architectures(pool.operations[rows].astype(np.int64)), unbuildable
        pool.shortfall[close[~keeps]] = np.finfo(np.float64).tiny


def check_request(
    space: SearchSpace, count: int, seconds: float, diverse: float, cautious: float
) -> None:
    """Raise DiffusionNAGError for numbers that cannot be asked for."""
    check_wanted(space, count, distinct=True)
    if not 0 < seconds < np.inf:
        raise DiffusionNAGError(f"{seconds} seconds is no time to search; give a number above 0")
    if not 0 <= diverse <= 1:
        raise DiffusionNAGError(f"diverse is a share of the nodes from 0 to 1, not {diverse}")
    if not 0 <= cautious < np.inf:
        raise DiffusionNAGError(f"cautious counts deviations from 0 upwards, not {cautious}")


def too_few(
    objective: Objective | Goals, fewer: int, count: int, diverse: float, whole: bool
) -> DiffusionNAGError:
    """Return the error that says how many keep the limits, where `count` are wanted."""
    asked = [limit.describe() for limit in objective.limits]
    if diverse:
        asked.append(f"differ in {100 * diverse:g} % of the nodes")
    conditions = " and ".join(asked) or "exist"
    verb = "exist" if whole and not diverse else "were found"
    return DiffusionNAGError(
        f"only {fewer} {objective.space.name} architectures {verb} that keep {conditions}, and "
        f"{count} are wanted; ask for fewer, or for less"
    )
