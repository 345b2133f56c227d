"""Several processes of this machine: started, watched, replaced and stopped together."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from threading import Thread
from types import FrameType
from typing import Any

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.execution.executor import LOOK, Losses, Result, Task, no_progress

GRACE = 10.0
"""Seconds that a worker has for stopping before it is killed."""


@dataclass(frozen=True)
class Worker:
    """A process that waits for tasks at the other end of a connection."""

    process: ForkServerProcess
    connection: Connection


@dataclass(frozen=True)
class Outcome:
    """What came of a task: a result, or the error that it met."""

    result: Any = None
    error: Exception | None = None


def check_picklable(task: object, name: str) -> None:
    """Raise DiffusionNAGError where a task, called by that name, cannot be sent to other processes."""
    try:
        pickle.dumps(task)
    except Exception as error:  # whatever the user's own objects raise
        raise DiffusionNAGError(
            f"with several workers {name} must be picklable ({error}); put functions and classes of "
            "your own into a module"
        ) from error


class ProcessExecutor:
    """Works in so many processes, each with its share of this process's threads.

    They stop when this process is interrupted or ends.
    """

    host = None

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map_unordered(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        progress: Callable[[], int] = no_progress,
    ) -> Iterator[tuple[Task, Result]]:
        """Yield each task with the function's result, as `Executor` says."""
        queue, idle = deque(tasks), list[Worker]()
        busy: dict[Connection, tuple[Worker, Task]] = {}
        losses = Losses(self.workers, progress)
        try:
            while queue or busy:
                while queue and len(busy) < self.workers:
                    task = queue.popleft()
                    worker = idle.pop() if idle else self._start(function)
                    busy[worker.connection] = (worker, task)
                    # One that died while it was idle is found to be lost below.
                    with suppress(OSError):
                        worker.connection.send(task)
                ready = wait(list(busy), timeout=LOOK)
                progress()
                for connection in [connection for connection in busy if connection in ready]:
                    worker, task = busy[connection]
                    outcome = _outcome(worker)
                    del busy[connection]
                    if outcome is None:
                        losses.note_loss(f"a process with exit code {worker.process.exitcode}")
                        queue.appendleft(task)
                    else:
                        losses.note_result()
                        idle.append(worker)
                        yield task, outcome.result
        finally:
            _stop([*idle, *(worker for worker, _ in busy.values())])

    def _start(self, function: Callable[[Any], Any]) -> Worker:
        import torch

        threads = max(1, torch.get_num_threads() // self.workers)
        # Workers are forks of a process that has imported the function's module, and share it.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([function.__module__])
        ours, theirs = context.Pipe()
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        process = context.Process(target=_work, args=(function, threads, environment, theirs))
        # Ctrl-C reaches every process of a terminal; a worker waits until its parent tells it to stop.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return Worker(process, ours)


def _outcome(worker: Worker) -> Outcome | None:
    """Return what came of a worker's task, None if the worker is lost; raises the task's error."""
    try:
        outcome = worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join()
        return None
    if outcome.error is not None:
        raise outcome.error
    return outcome


def _stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(
    function: Callable[[Any], Any],
    threads: int,
    environment: Mapping[str, str],
    connection: Connection,
) -> None:
    # A handler that does nothing: commands that a worker starts do not inherit it.
    signal.signal(signal.SIGINT, lambda *_: None)
    with suppress(KeyboardInterrupt, EOFError, BrokenPipeError):
        # From here on a worker may be told to stop, also while it starts.
        signal.signal(signal.SIGTERM, _interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        Thread(target=_end_with_parent, daemon=True).start()
        # The process that it is a fork of may have started before a variable was set.
        os.environ.clear()
        os.environ.update(environment)
        # Most functions have imported torch with their module; for others it would take a second.
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        while True:
            connection.send(_attempt(function, connection.recv()))


def _attempt(function: Callable[[Any], Any], task: Any) -> Outcome:
    try:
        return Outcome(function(task))
    except DiffusionNAGError as error:
        return Outcome(error=error)
    except Exception as error:
        # Of errors that nobody foresaw, not all can be pickled.
        traceback.print_exc()
        return Outcome(error=EnvironmentFailureError(f"a worker failed: {error!r}"))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
