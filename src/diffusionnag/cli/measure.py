"""`diffusionnag measure`: the latency of a network on this machine, its memory and its size."""

from __future__ import annotations

from diffusionnag.cli.options import (
    ArchitectureText,
    Backend,
    Batch,
    Classes,
    Context,
    Repeats,
    Resolution,
    Space,
    Threads,
    Width,
)


def measure(
    space: Space,
    architecture: ArchitectureText,
    backend: Backend = "torch",
    threads: Threads = 1,
    batch: Batch = 1,
    repeats: Repeats = 50,
    resolution: Resolution = None,
    width: Width = 1.0,
    classes: Classes = None,
    context: Context = None,
) -> None:
    """Measure a network on this machine: latency, memory, parameters, multiply-adds."""
    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import results

    if backend == "onnxruntime":
        require_packages("export", "onnx", "onnxscript", "onnxruntime")
    from diffusionnag.networks import (
        LatencySettings,
        build_network,
        count_network,
        measure_latencies,
        peak_memory,
        task_of,
    )
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    task = task_of(
        search_space, classes=classes, resolution=resolution, width=width, context=context
    )
    chosen = search_space.parse(architecture)
    network = build_network(search_space, chosen, task=task)
    settings = LatencySettings(backend, threads, batch, repeats)
    (latency,) = measure_latencies([network], task, settings)
    cost = count_network(network, task, search_space.networks.convention)
    results.print(
        f"latency: {latency.median:.3f} ms, the middle half {latency.lower_quartile:.3f} to "
        f"{latency.upper_quartile:.3f} ms ({backend}, {threads} threads, batch {batch}, "
        f"{repeats} runs)"
    )
    results.print(f"params: {cost.parameters / 1e6:.6f} M")
    results.print(f"macs: {cost.macs / 1e6:.6f} M for {task.example}")
    results.print(f"peak memory of the whole process: {peak_memory():.0f} MiB")
