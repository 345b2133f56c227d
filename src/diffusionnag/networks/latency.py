"""Latency of networks on this very machine."""

from __future__ import annotations

import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from diffusionnag._devices import torch_defaults, torch_threads
from diffusionnag._memory import check_fits
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import random_inputs
from diffusionnag.networks.exporting import export_network, onnx_session, run_session
from diffusionnag.spaces import Graph, Task

BACKENDS = ("torch", "torch-compile", "onnxruntime")
WARM_UP = 10
MOST_THREADS = 1_024


@dataclass(frozen=True)
class Latency:
    """Median and quartiles, in ms, of the time that one batch takes."""

    median: float
    lower_quartile: float
    upper_quartile: float


@dataclass(frozen=True)
class LatencySettings:
    """What runs a network on the CPU, on how many inputs at a time, and how often it is timed."""

    backend: str = "torch"
    threads: int = 1
    batch: int = 1
    repeats: int = 50

    def check(self) -> None:
        """Raise DiffusionNAGError for an unknown backend, or less than one of anything."""
        if self.backend not in BACKENDS:
            raise DiffusionNAGError(f"no backend {self.backend!r}; known: {', '.join(BACKENDS)}")
        for name in ("threads", "batch", "repeats"):
            value = getattr(self, name)
            if value < 1:
                raise DiffusionNAGError(f"{name} is {value}; it must be at least 1")
        if self.threads > MOST_THREADS:
            raise DiffusionNAGError(f"threads is {self.threads}; at most {MOST_THREADS:,}")
        check_fits(f"{self.repeats:,} times", 8 * self.repeats)


@torch_defaults()
def measure_latencies(
    networks: Sequence[nn.Module], task: Task, settings: LatencySettings
) -> list[Latency]:
    """Return the latency of each network on the CPU, after ten runs to warm up.

    They run in turn, so that a change of the machine's speed hits all alike. Raises
    DiffusionNAGError as `LatencySettings.check` does.
    """
    settings.check()
    size = 8 if task.vocabulary else 4
    check_fits(
        f"a batch of {settings.batch:,} {task.inputs}",
        size * math.prod(task.input_shape) * settings.batch,
    )
    x = random_inputs(task, settings.batch, torch.Generator().manual_seed(0))
    with ExitStack() as stack, torch.inference_mode():
        stack.enter_context(torch_threads(settings.threads))
        runs = [
            stack.enter_context(_runner(network.cpu().eval(), task, settings))
            for network in networks
        ]
        return _timed(runs, x, settings.repeats)


def measure_file(path: Path, settings: LatencySettings, length: int | None = None) -> Latency:
    """Return the latency of an exported `.onnx` file on the CPU by onnxruntime, after ten runs.

    Texts are of `length` tokens. Raises DiffusionNAGError for a file that is none, or takes more than
    one input, and where the length is needed and missing.
    """
    settings.check()
    if not path.is_file():
        raise DiffusionNAGError(f"no file {path}")
    try:
        session = onnx_session(path, settings.threads)
        (entry,) = session.get_inputs()
    except Exception as error:  # onnxruntime raises classes of its own
        raise DiffusionNAGError(f"{path} is no ONNX file of one input") from error
    shape = []
    for place, size in enumerate(entry.shape):
        varied = settings.batch if place == 0 else length
        if not isinstance(size, int) and varied is None:
            raise DiffusionNAGError(f"{path} takes texts of any length; say which by --context")
        shape.append(size if isinstance(size, int) else varied)
    check_fits(f"a batch of {settings.batch:,} {entry.name}", 8 * math.prod(shape))
    # Of tokens, 1 is one in whatever vocabulary.
    x = (
        torch.zeros(shape)
        if entry.type == "tensor(float)"
        else torch.ones(shape, dtype=torch.int64)
    )
    (latency,) = _timed([lambda inputs: run_session(session, inputs)], x, settings.repeats)
    return latency


def _timed(
    runs: Sequence[Callable[[Any], object]], x: torch.Tensor | Graph, repeats: int
) -> list[Latency]:
    milliseconds = np.empty((WARM_UP + repeats, len(runs)))
    for repeat, network in np.ndindex(milliseconds.shape):
        started = time.perf_counter()
        runs[network](x)
        milliseconds[repeat, network] = 1e3 * (time.perf_counter() - started)
    quartiles = np.quantile(milliseconds[WARM_UP:], (0.25, 0.5, 0.75), axis=0)
    return [Latency(median, lower, upper) for lower, median, upper in quartiles.T.tolist()]


@contextmanager
def _runner(
    network: nn.Module, task: Task, settings: LatencySettings
) -> Iterator[Callable[[Any], object]]:
    if settings.backend == "torch":
        yield network
        return
    if settings.backend == "torch-compile":
        compiled = torch.compile(network, dynamic=False)
        try:
            compiled(random_inputs(task, settings.batch))
        except Exception as error:  # the compiler raises what it meets
            reason = next(iter(str(error).splitlines()), "")[:200]
            raise DiffusionNAGError(f"torch cannot compile the network: {reason}") from error
        yield compiled
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_network(network, task, path)
        session = onnx_session(path, settings.threads)
        yield lambda x: run_session(session, x)


def peak_memory() -> float:
    """Return the most memory that this process has held so far, in MiB."""
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes / 2**10 if sys.platform != "darwin" else kibibytes / 2**20
