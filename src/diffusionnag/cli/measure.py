"""`diffusionnag measure`: the latency of a network on this machine, its memory and its size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusionnag.cli.options import (
    Backend,
    Batch,
    Classes,
    Context,
    Repeats,
    Resolution,
    Threads,
    Width,
)

if TYPE_CHECKING:
    from diffusionnag.networks import Latency, LatencySettings


def measure(
    space: Annotated[
        str,
        typer.Argument(
            help="Search space, or your own: FILE.yaml, FILE.py:NAME; or an exported file: "
            ".onnx, .pt2, .xml."
        ),
    ],
    architecture: Annotated[
        str | None, typer.Argument(help="Architecture string; none for a file.")
    ] = None,
    backend: Backend = "torch",
    threads: Threads = 1,
    batch: Batch = 1,
    repeats: Repeats = 50,
    resolution: Resolution = None,
    width: Width = 1.0,
    classes: Classes = None,
    context: Context = None,
) -> None:
    """Measure a network on this machine: latency, memory, parameters, multiply-adds.

    Of a language model also tokens per second, of a prompt and of the text that it writes.
    """
    from diffusionnag._memory import process_memory
    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import results

    if backend in ("onnxruntime", "openvino"):
        require_packages("export", "onnx", "onnxscript", "onnxruntime")
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.networks import (
        BACKEND_OF,
        HasCache,
        LatencySettings,
        build_network,
        count_network,
        measure_file,
        measure_file_generation,
        measure_generation,
        measure_latencies,
        task_of,
    )
    from diffusionnag.spaces import LanguageModelling, get_search_space

    settings = LatencySettings(backend, threads, batch, repeats)
    if Path(space).suffix in BACKEND_OF and architecture is None:
        settings = replace(settings, backend=BACKEND_OF[Path(space).suffix])
        latency = measure_file(Path(space), settings, context)
        _print_latency(latency, settings)
        if context is not None:
            generation = measure_file_generation(Path(space), settings, context)
            if generation is not None:
                _print_speeds(latency, generation, settings, context)
        return
    if architecture is None:
        raise DiffusionNAGError(
            f"an architecture is missing; a file alone is measured if it is {', '.join(BACKEND_OF)}"
        )
    search_space = get_search_space(space)
    task = task_of(
        search_space, classes=classes, resolution=resolution, width=width, context=context
    )
    chosen = search_space.parse(architecture)
    network = build_network(search_space, chosen, task=task)
    (latency,) = measure_latencies([network], task, settings)
    cost = count_network(network, task, search_space.networks.convention)
    _print_latency(latency, settings)
    if isinstance(task, LanguageModelling):
        generation = measure_generation(network, task, settings)
        reason = f"not with {backend}" if isinstance(network, HasCache) else "the network has none"
        _print_speeds(latency, generation, settings, task.context, reason)
    results.print(f"params: {cost.parameters / 1e6:.6f} M")
    results.print(f"macs: {cost.macs / 1e6:.6f} M for {task.example}")
    results.print(f"peak memory of the whole process: {process_memory():.0f} MiB")


def _print_latency(latency: Latency, settings: LatencySettings) -> None:
    from diffusionnag.cli.console import results

    results.print(
        f"latency: {latency.median:.4f} ms, the middle half {latency.lower_quartile:.4f} to "
        f"{latency.upper_quartile:.4f} ms ({settings.backend}, {settings.threads} threads, batch "
        f"{settings.batch}, {settings.repeats} runs)"
    )


def _print_speeds(
    whole: Latency,
    generation: Latency | None,
    settings: LatencySettings,
    context: int,
    reason: str = "",
) -> None:
    """Print tokens per second, those of all texts of a batch together."""
    from diffusionnag.cli.console import results

    per_second = 1e3 * settings.batch
    results.print(
        f"prompt: {per_second * context / whole.median:,.1f} tokens/s, {context} of a text at once"
    )
    if generation is not None:
        results.print(
            f"generation: {per_second / generation.median:,.1f} tokens/s with the cache, at token {context}"
        )
    else:
        results.print(
            f"generation: {per_second / whole.median:,.1f} tokens/s without a cache ({reason}), each "
            f"token by a text of {context}"
        )
