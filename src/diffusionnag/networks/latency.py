"""Latency of networks on this very machine."""

from __future__ import annotations

import functools
import math
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
from diffusionnag.networks.decoder_file import ExportedDecoder, takes_cache
from diffusionnag.networks.exported_file import ExportedFile, open_exported
from diffusionnag.networks.exporting import export_network
from diffusionnag.spaces import Graph, NodeClassification, Task

SUFFIX_OF = {"onnxruntime": ".onnx", "openvino": ".xml"}
"""Backends that run a file, and the file."""
BACKENDS = ("torch", "torch-compile", *SUFFIX_OF)
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
        return timed(runs, x, settings.repeats)


@torch_defaults()
def measure_file(path: Path, settings: LatencySettings, length: int | None = None) -> Latency:
    """Return the latency of an exported file on the CPU, after ten runs: see `open_exported`.

    Texts are of `length` tokens, with nothing in the cache of a file that takes one; a graph has as
    many nodes as the batch. Raises DiffusionNAGError as `open_exported` does, where the length is
    needed and missing, and for a file that takes anything else or fails.
    """
    settings.check()
    file = open_exported(path, settings.threads)
    with torch_threads(settings.threads), torch.inference_mode():
        run, inputs = _tried(file, path, settings.batch, length)
        (latency,) = timed([run], inputs, settings.repeats)
    return latency


def _tried(
    file: ExportedFile, path: Path, batch: int, length: int | None
) -> tuple[Callable[[Any], object], torch.Tensor | Graph]:
    """Return what runs a file, and what it ran on."""
    try:
        inputs = _inputs_of(file, path, batch, length)
        run = _run_of(file, batch)
        run(inputs)
    except DiffusionNAGError:
        raise
    except Exception as error:  # each backend raises classes of its own
        names = ", ".join(entry.name for entry in file.inputs)
        raise DiffusionNAGError(
            f"{path} cannot be measured on inputs made up for {names} ({_first_line(error)}); files "
            "that `export` writes can"
        ) from error
    return run, inputs


def _run_of(file: ExportedFile, batch: int) -> Callable[[Any], object]:
    if not takes_cache(file):
        return file.run
    decoder = ExportedDecoder(file)
    return functools.partial(decoder.decode, cache=decoder.empty_cache(batch))


def _inputs_of(
    file: ExportedFile, path: Path, batch: int, length: int | None
) -> torch.Tensor | Graph:
    first = file.inputs[0]
    shape: list[int] = []
    for place, size in enumerate(first.shape):
        varied = batch if place == 0 else length
        if size is None and varied is None:
            raise DiffusionNAGError(f"{path} takes texts of any length; name one, the context")
        shape.append(size or varied or 0)
    check_fits(f"a batch of {batch:,} {first.name}", 8 * math.prod(shape))
    if len(file.inputs) > 1 and not takes_cache(file):
        if len(file.inputs) > len(Graph._fields):
            raise ValueError("they are neither one nor the two of a graph")
        return random_inputs(NodeClassification(shape[-1]), batch)
    # Of tokens, 1 is one in whatever vocabulary.
    return torch.ones(shape, dtype=torch.int64) if first.whole else torch.zeros(shape)


def timed(
    runs: Sequence[Callable[[Any], object]], x: torch.Tensor | Graph, repeats: int
) -> list[Latency]:
    """Return how long each function takes for `x`, all in turn, after ten runs of each."""
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
            raise DiffusionNAGError(
                f"torch cannot compile the network: {_first_line(error)}"
            ) from error
        yield compiled
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"network{SUFFIX_OF[settings.backend]}"
        export_network(network, task, path)
        yield open_exported(path, settings.threads).run


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]
