"""Several workers that run one search together, wherever an executor has them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from optuna.study import Study

from diffusionnag.errors import SpaceExhaustedError
from diffusionnag.execution import Executor
from diffusionnag.search.storages import claim, serve_storage, this_process
from diffusionnag.search.study import Search, count_finished

OpenAgain = Callable[[str | None], Search]
"""Opens a search anew, in a storage if one is named, or else in its own."""


@dataclass(frozen=True)
class Worker:
    """What each worker of a run does: open the search, and run the trials that are left.

    `run` names the run and `driver` the process that looks after it.
    """

    open_again: OpenAgain
    storage: str | None
    run: str
    driver: str

    def __call__(self, number: int) -> SpaceExhaustedError | None:
        """Be the worker of that number, in place of any that was lost."""
        search = self.open_again(self.storage)
        claim(search.study, f"{self.run}-{number}", self.driver)
        return search.run()


def run_workers(
    search: Search,
    open_again: OpenAgain,
    executor: Executor,
    workers: int,
    report: Callable[[Study], None] = lambda study: None,
) -> SpaceExhaustedError | None:
    """Run the trials that are left of a search by so many workers of an executor.

    `open_again` opens the search in a worker, so it must be picklable. Workers of other machines
    reach the study through this process. One that is lost is replaced, and what it measured is
    measured again. Returns why they ended early, as `run_study` does. Raises what a worker raises,
    and EnvironmentFailureError where they keep dying.
    """
    with ExitStack() as stack:
        storage = None
        if executor.host is not None:
            storage = stack.enter_context(serve_storage(search.study, executor.host))
        worker = Worker(open_again, storage, secrets.token_hex(4), this_process())

        def progress() -> int:
            report(search.study)
            return count_finished(search.study)

        ended = None
        for _, reason in executor.map_unordered(worker, range(workers), progress):
            ended = ended or reason
            progress()
        return ended
