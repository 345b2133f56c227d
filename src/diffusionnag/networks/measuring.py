"""Latency of a network on this very machine."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.exporting import export_network, onnx_session, run_session

BACKENDS = ("torch", "onnxruntime")
WARM_UP = 10
REPEATS = 50


@dataclass(frozen=True)
class Latency:
    """Median and quartiles, in ms, of the time that one batch takes."""

    median: float
    lower_quartile: float
    upper_quartile: float


def measure_latency(
    network: nn.Module,
    resolution: int,
    *,
    backend: str = "torch",
    threads: int = 1,
    batch: int = 1,
    repeats: int = REPEATS,
) -> Latency:
    """Return the latency of a network on the CPU, after ten runs to warm up.

    Raises DiffusionNAGError for an unknown backend, and for less than one thread, image or repeat.
    """
    if backend not in BACKENDS:
        raise DiffusionNAGError(f"no backend {backend!r}; known: {', '.join(BACKENDS)}")
    for name, value in {"threads": threads, "batch": batch, "repeats": repeats}.items():
        if value < 1:
            raise DiffusionNAGError(f"{name} is {value}; it must be at least 1")
    x = torch.randn(batch, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))
    milliseconds = []
    with _runner(network.cpu().eval(), resolution, backend, threads) as run, torch.inference_mode():
        for _ in range(WARM_UP):
            run(x)
        for _ in range(repeats):
            started = time.perf_counter()
            run(x)
            milliseconds.append(1e3 * (time.perf_counter() - started))
    lower, median, upper = np.quantile(milliseconds, (0.25, 0.5, 0.75)).tolist()
    return Latency(median, lower, upper)


@contextmanager
def _runner(
    network: nn.Module, resolution: int, backend: str, threads: int
) -> Iterator[Callable[[torch.Tensor], object]]:
    if backend == "onnxruntime":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            export_network(network, resolution, path)
            session = onnx_session(path, threads)
            yield lambda x: run_session(session, x)
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield network
    finally:
        torch.set_num_threads(before)


def peak_memory() -> float:
    """Return the most memory that this process has held so far, in MiB."""
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes / 2**10 if sys.platform != "darwin" else kibibytes / 2**20
