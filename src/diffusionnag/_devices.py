"""Where networks run, and on how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from diffusionnag.errors import DiffusionNAGError


def device_names() -> list[str]:
    """Return the devices that networks can run on here."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def check_device(name: str) -> str:
    """Return a device's name if it can be used here; raises DiffusionNAGError otherwise."""
    if name not in device_names():
        raise DiffusionNAGError(f"no device {name!r} here; available: {', '.join(device_names())}")
    return name


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute on so many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
