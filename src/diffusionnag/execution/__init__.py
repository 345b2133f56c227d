"""Where work runs: in this process, in several of this machine, or on a Ray cluster."""

from __future__ import annotations

from diffusionnag._memory import PROCESS, check_fits
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.execution.executor import Executor, LocalExecutor
from diffusionnag.execution.processes import ProcessExecutor, check_picklable

__all__ = [
    "EXECUTORS",
    "Executor",
    "LocalExecutor",
    "ProcessExecutor",
    "check_picklable",
    "new_executor",
]

EXECUTORS = ("local", "process", "ray")
"""Names of executors: this process, several of this machine, a Ray cluster."""


def new_executor(
    name: str | None, workers: int = 1, *, cpus: float | None = None, gpus: float | None = None
) -> Executor:
    """Return the executor of that name, with so many workers; without a name, processes if several.

    `cpus` (1 if left out) and `gpus` (0) are what each worker has of a cluster. Raises
    DiffusionNAGError for an unknown name, fewer than 1 worker, more where there can be only one,
    resources of anything but a cluster, and where Ray is missing.
    """
    name = name or ("local" if workers == 1 else "process")
    if name not in EXECUTORS:
        raise DiffusionNAGError(f"no executor {name!r}; known: {', '.join(EXECUTORS)}")
    if workers < 1:
        raise DiffusionNAGError(f"cannot work with {workers} workers; ask for at least 1")
    if name == "ray":
        from diffusionnag.execution.ray_cluster import RayExecutor

        return RayExecutor(workers, 1.0 if cpus is None else cpus, gpus or 0.0)
    if cpus is not None or gpus is not None:
        raise DiffusionNAGError("cpus and gpus are for the executor ray")
    if name == "process":
        check_fits(f"{workers:,} workers", workers * PROCESS)
        return ProcessExecutor(workers)
    if workers > 1:
        raise DiffusionNAGError(f"the local executor has one worker, not {workers}; use process")
    return LocalExecutor()
