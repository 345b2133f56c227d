"""Where networks run, on how many threads, and torch's own defaults while the library computes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from diffusionnag.errors import DiffusionNAGError


def device_names() -> list[str]:
    """Return the devices that networks can run on here, such as `cpu` and `cuda:0`."""
    names = ["cpu"]
    for kind in ("cuda", "xpu", "mps"):
        module = getattr(torch, kind, None)
        if module is not None and module.is_available():
            names += [f"{kind}:{number}" for number in range(module.device_count())]
    return names


def check_device(name: str) -> str:
    """Return a device's name if numbers can be held there; raises DiffusionNAGError otherwise."""
    try:
        torch.ones(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError, ValueError) as error:
        raise DiffusionNAGError(
            f"no device {name!r} here; there is {', '.join(device_names())}"
        ) from error
    return name


def check_devices(name: str, count: int) -> None:
    """Raise DiffusionNAGError for a device that is not there, or more of them than there are."""
    check_device(name)
    if count < 1:
        raise DiffusionNAGError(f"cannot use {count} devices; ask for at least 1")
    kind = torch.device(name).type
    there = sum(device.partition(":")[0] == kind for device in device_names())
    most = (os.cpu_count() or 1) if kind == "cpu" else there
    if count > most:
        raise DiffusionNAGError(f"cannot use {count} devices; {kind} has {most} here")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute on so many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch draw by a seed inside the block, and go on afterwards where it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


FEWEST_NODES = 2_000
"""Nodes, of all architectures together, for which a thread of their own is worth its while."""


class _Spared(threading.local):
    """The threads that a thread of Python has spared for rows."""

    pool: ThreadPoolExecutor | None = None
    count: int = 1


_spared = _Spared()


@contextmanager
def threads_for_rows() -> Iterator[None]:
    """Spare torch's threads for `by_rows` inside the block: all else computes on one.

    What is computed for some hundred architectures is so little that two threads which share it take
    longer than one, as they wait asleep (see OMP_WAIT_POLICY in the package).
    """
    count = torch.get_num_threads()
    with torch_threads(1), ThreadPoolExecutor(max(1, count - 1)) as pool:
        outer = _spared.pool, _spared.count
        _spared.pool, _spared.count = pool, count
        try:
            yield
        finally:
            _spared.pool, _spared.count = outer


def by_rows(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Return `function(rows)`, `batch x N x F`, of a function that treats each row by itself.

    On a CPU each of the threads that are spared computes a block of rows, where they are many.
    """
    blocks = min(_spared.count, rows.shape[:2].numel() // FEWEST_NODES)
    if _spared.pool is None or blocks < 2 or rows.device.type != "cpu":
        return function(rows)
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def compute(block: Tensor) -> Tensor:
        # These modes are a thread's own.
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
            return function(block)

    first, *others = rows.tensor_split(blocks)
    computing = [_spared.pool.submit(compute, block) for block in others]
    return torch.cat([function(first), *(block.result() for block in computing)])


_lock = threading.Lock()
_users: list[torch.dtype] = []
"""The default of the user's, once for each thread that is in `torch_defaults`."""


@contextmanager
def torch_defaults() -> Iterator[None]:
    """Compute with float32 on the CPU where nothing else is said, whatever the user's defaults are.

    Several threads may be in such a block; the last to leave it restores the user's default type.
    """
    with _lock:
        _users.append(_users[0] if _users else torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
    try:
        with ExitStack() as stack:
            # Entered only where needed, for it slows each of torch's functions down.
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        with _lock:
            dtype = _users.pop()
            if not _users:
                torch.set_default_dtype(dtype)
