"""Several processes that run one search: started, watched, replaced and stopped together."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from threading import Thread
from types import FrameType

import torch
from optuna.study import Study

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.search.study import Search, count_finished

LOOK = 0.5
"""Seconds between two reports."""
LOSSES = 3
"""Workers, beyond one each, that may die without a trial being finished in between."""
GRACE = 10.0
"""Seconds that a worker has for stopping before it is killed."""


@dataclass(frozen=True)
class Worker:
    """A process that runs the search, and where the error arrives that ends it."""

    process: SpawnProcess
    failure: Connection


def run_workers(
    search: Search,
    open_again: Callable[[], Search],
    workers: int,
    report: Callable[[Study], None] = lambda study: None,
) -> None:
    """Run the trials that are left of a search in so many processes on its storage.

    `open_again` opens the search in a worker, so it must be picklable. Each worker has its share of
    this process's threads. One that dies is replaced, and what it measured is measured again; all
    stop when this process is interrupted or ends. Raises what a worker raises,
    DiffusionNAGError for fewer than 1 worker, and EnvironmentFailureError where they keep dying.
    """
    if workers < 1:
        raise DiffusionNAGError(f"cannot search with {workers} workers; ask for at least 1")
    threads = max(1, torch.get_num_threads() // workers)
    running: list[Worker] = []
    deaths, finished = 0, count_finished(search.study)
    try:
        for _ in range(workers):
            running.append(_start(open_again, threads))
        while running:
            ended = wait([worker.process.sentinel for worker in running], timeout=LOOK)
            report(search.study)
            for worker in [one for one in running if one.process.sentinel in ended]:
                running.remove(worker)
                if _ended_well(worker):
                    continue
                before, finished = finished, count_finished(search.study)
                deaths = 1 if finished > before else deaths + 1
                if deaths >= workers + LOSSES:
                    raise EnvironmentFailureError(
                        "the worker processes keep dying, the last with exit code "
                        f"{worker.process.exitcode}; is there enough memory?"
                    )
                running.append(_start(open_again, threads))
    finally:
        _stop(running)


def _start(open_search: Callable[[], Search], threads: int) -> Worker:
    context = multiprocessing.get_context("spawn")
    failure, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(open_search, threads, sender))
    # Ctrl-C reaches every process of a terminal; a worker waits until it is told to stop by its parent.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    sender.close()
    return Worker(process, failure)


def _ended_well(worker: Worker) -> bool:
    """Return whether a worker ended by itself; raises the error that it met."""
    worker.process.join()
    try:
        raise worker.failure.recv()
    except EOFError:
        return worker.process.exitcode == 0


def _stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(open_search: Callable[[], Search], threads: int, failure: Connection) -> None:
    # A handler that does nothing: commands that a worker starts do not inherit it.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        open_search().run()
    except KeyboardInterrupt:
        pass
    except DiffusionNAGError as error:
        failure.send(error)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
