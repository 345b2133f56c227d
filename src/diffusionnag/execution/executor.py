"""What an executor does, and the simplest one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from diffusionnag.errors import EnvironmentFailureError

Task = TypeVar("Task")
Result = TypeVar("Result")

LOOK = 0.5
"""Seconds between two looks at how far the work has got."""
LOSSES = 3
"""Workers, beyond one each, that may be lost without any progress in between."""


def no_progress() -> int:
    """Return 0: progress is then seen in the results alone."""
    return 0


class Executor(Protocol):
    """Calls a function for each of several tasks, wherever that may be."""

    @property
    def host(self) -> str | None:
        """The address at which workers of other machines reach this one; None without such workers."""
        ...

    def map_unordered(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        progress: Callable[[], int] = no_progress,
    ) -> Iterator[tuple[Task, Result]]:
        """Yield each task with the function's result, in the order in which they are done.

        A task whose worker is lost (killed, or its machine gone) is run again, so that the function
        may have begun with it before. Unless work is done in this process, function, tasks and
        results are pickled, and `progress` is called twice a second: it returns how far the work has
        got, where that cannot be told by the results. What is left stops when the iterator is
        closed. Raises what the function raises, and EnvironmentFailureError where workers are lost
        again and again without progress.
        """
        ...


class LocalExecutor:
    """Works in this process, one task after the other."""

    host = None

    def map_unordered(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        progress: Callable[[], int] = no_progress,
    ) -> Iterator[tuple[Task, Result]]:
        """Yield each task with the function's result, in order."""
        for task in tasks:
            yield task, function(task)


class Losses:
    """Counts lost workers, anew whenever the work has got on."""

    def __init__(self, workers: int, progress: Callable[[], int]) -> None:
        self._allowed = workers + LOSSES
        self._progress = progress
        self._reached, self._count = progress(), 0

    def note_result(self) -> None:
        """Note that a task is done."""
        self._count = 0

    def note_loss(self, reason: str) -> None:
        """Note that a worker is lost; raises EnvironmentFailureError where too many were."""
        reached = self._progress()
        self._count = 1 if reached != self._reached else self._count + 1
        self._reached = reached
        if self._count >= self._allowed:
            raise EnvironmentFailureError(
                f"the workers keep dying, the last: {reason}; is there enough memory?"
            )
