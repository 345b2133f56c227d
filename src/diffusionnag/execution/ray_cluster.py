"""A Ray cluster: workers on any of its machines, replaced when one is lost."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from diffusionnag._packages import require_packages
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.execution.executor import LOOK, Losses, Result, Task, no_progress

GRACE = 10.0
"""Seconds that tasks have for stopping before they are killed."""


class RayExecutor:
    """Works in so many tasks of a Ray cluster at once, each with its share of CPUs and GPUs.

    The cluster is the one named by the environment variable `RAY_ADDRESS`, or one that runs on this
    machine; where there is none, one is started for the time of the work. Raises
    DiffusionNAGError for impossible shares, and where Ray is missing.
    """

    def __init__(self, workers: int, cpus: float, gpus: float) -> None:
        require_packages("distributed", "ray")
        if min(cpus, gpus) < 0 or cpus + gpus == 0:
            raise DiffusionNAGError(f"{cpus:g} CPUs and {gpus:g} GPUs are nothing to work with")
        # gRPC, on which Ray is built, would tell of each process that is started.
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        self.workers, self.cpus, self.gpus = workers, cpus, gpus

    @property
    def host(self) -> str:
        """The address of this machine in the cluster's network."""
        import ray.util

        return ray.util.get_node_ip_address()

    def map_unordered(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        progress: Callable[[], int] = no_progress,
    ) -> Iterator[tuple[Task, Result]]:
        """Yield each task with the function's result, as `Executor` says.

        Workers run in this process's working directory where their machine has it.
        """
        import ray
        from ray.exceptions import RayError

        with _connected():
            self._check_resources()
            remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)(_run)
            losses = Losses(self.workers, progress)
            shared, folder, threads = ray.put(function), str(Path.cwd()), max(1, int(self.cpus))
            queue, pending = deque(tasks), dict[Any, Task]()
            try:
                while queue or pending:
                    while queue and len(pending) < self.workers:
                        task = queue.popleft()
                        pending[remote.remote(shared, task, folder, threads)] = task
                    ready, _ = ray.wait(list(pending), timeout=LOOK)
                    progress()
                    for reference in ready:
                        task = pending.pop(reference)
                        try:
                            result = _result(reference)
                        except RayError as error:
                            losses.note_loss(str(error).strip().splitlines()[0])
                            queue.appendleft(task)
                        else:
                            losses.note_result()
                            yield task, result
            finally:
                _cancel(list(pending))

    def _check_resources(self) -> None:
        """Raise DiffusionNAGError where no machine of the cluster is large enough for a worker."""
        import ray

        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        for machine in machines:
            if all(machine.get(name, 0) >= amount for name, amount in wanted.items()):
                return
        raise DiffusionNAGError(
            f"no machine of the Ray cluster has {self.cpus:g} CPUs and {self.gpus:g} GPUs"
        )


@contextmanager
def _connected() -> Iterator[None]:
    """Be connected to a cluster for the time of a block, if we are not already."""
    import ray

    if ray.is_initialized():
        yield
        return
    # A cluster that is started here tells nobody about itself.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EnvironmentFailureError(f"no Ray cluster can be reached: {reason}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _run(function: Callable[[Any], Any], task: Any, folder: str, threads: int) -> Any:
    import torch

    with suppress(OSError):
        os.chdir(folder)
    torch.set_num_threads(threads)
    return function(task)


def _result(reference: Any) -> Any:
    """Return what came of a task; raises the error that it met, and RayError if its worker is lost."""
    import ray
    from ray.exceptions import RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, DiffusionNAGError):
            raise error.cause from None
        raise EnvironmentFailureError(f"a worker failed: {error.cause!r}") from error


def _cancel(references: Sequence[Any]) -> None:
    """Interrupt tasks as Ctrl-C does, and kill those that go on."""
    import ray

    for reference in references:
        ray.cancel(reference)
    if references:
        _, left = ray.wait(list(references), num_returns=len(references), timeout=GRACE)
        for reference in left:
            ray.cancel(reference, force=True)
