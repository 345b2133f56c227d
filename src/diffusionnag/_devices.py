"""Where networks run, on how many threads, and torch's own defaults while the library computes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

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
        raise DiffusionNAGError(f"--devices is {count}; it must be at least 1")
    kind = torch.device(name).type
    there = sum(device.partition(":")[0] == kind for device in device_names())
    most = (os.cpu_count() or 1) if kind == "cpu" else there
    if count > most:
        raise DiffusionNAGError(f"--devices is {count}, and {kind} has {most} here; take fewer")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute on so many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
