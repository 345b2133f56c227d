"""`diffusionnag export` and `diffusionnag measure`: a network for other programs, and its latency here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from diffusionnag.networks import TrainedNetwork

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
SPACE = Annotated[str, typer.Argument(help="nasbench201, mobilenetv3 or mnasnet.")]
ARCHITECTURE = Annotated[str, typer.Argument(help="Architecture string.")]
RESOLUTION = Annotated[int | None, typer.Option(help="Pixels; the benchmark's own if left out.")]
WIDTH = Annotated[float, typer.Option(help="1.0, or for mobilenetv3 1.2.")]
CLASSES = Annotated[int | None, typer.Option(help="The benchmark's own if left out.")]


def export(
    space: SPACE,
    architecture: ARCHITECTURE,
    to: Annotated[Path, typer.Option(help="File to write: .onnx or .pt2.")],
    weights: Annotated[
        Path | None, typer.Option(help="Folder of `train`; random weights if left out.")
    ] = None,
    resolution: RESOLUTION = None,
    width: WIDTH = 1.0,
    classes: CLASSES = None,
) -> None:
    """Export a network to ONNX or to PyTorch's own format, and check what the file computes."""
    from diffusionnag.cli.console import messages, require_packages, results

    require_packages("export", *ONNX_PACKAGES)
    from diffusionnag.errors import DiffusionNAGError
    from diffusionnag.networks import (
        TrainedNetwork,
        build_network,
        check_export_path,
        check_resolution,
        export_network,
    )
    from diffusionnag.spaces import get_search_space

    check_export_path(to)
    search_space = get_search_space(space)
    chosen = search_space.parse(architecture)
    size = check_resolution(search_space, resolution)
    if weights is None:
        network = build_network(search_space, chosen, classes=classes, width=width)
        messages.print("the weights are random; --weights takes a folder of `train`")
    else:
        trained = TrainedNetwork.load(weights, search_space)
        if trained.architecture != chosen:
            raise DiffusionNAGError(f"{weights} holds the weights of another architecture")
        network, size = trained.network, resolution or trained.resolution
        messages.print(_input_of(trained), markup=False)
    error = export_network(network, size, to)
    results.print(f"written to {to}; it differs from PyTorch by {error:.2g} at most", markup=False)


def measure(
    space: SPACE,
    architecture: ARCHITECTURE,
    backend: Annotated[str, typer.Option(help="torch or onnxruntime.")] = "torch",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    batch: Annotated[int, typer.Option(help="Images at a time.")] = 1,
    repeats: Annotated[int, typer.Option(help="Times it is measured.")] = 50,
    resolution: RESOLUTION = None,
    width: WIDTH = 1.0,
    classes: CLASSES = None,
) -> None:
    """Measure a network on this machine: latency, memory, parameters, multiply-adds."""
    from diffusionnag.cli.console import require_packages, results

    if backend == "onnxruntime":
        require_packages("export", *ONNX_PACKAGES)
    from diffusionnag.networks import (
        LatencySettings,
        build_network,
        check_resolution,
        count_network,
        measure_latencies,
        peak_memory,
    )
    from diffusionnag.spaces import get_search_space

    search_space = get_search_space(space)
    size = check_resolution(search_space, resolution)
    chosen = search_space.parse(architecture)
    network = build_network(search_space, chosen, classes=classes, width=width)
    settings = LatencySettings(backend, threads, batch, repeats)
    (latency,) = measure_latencies([network], size, settings)
    cost = count_network(network, size, search_space.networks.convention)
    results.print(
        f"latency: {latency.median:.3f} ms, the middle half {latency.lower_quartile:.3f} to "
        f"{latency.upper_quartile:.3f} ms ({backend}, {threads} threads, batch {batch}, "
        f"{repeats} runs)"
    )
    results.print(f"params: {cost.parameters / 1e6:.6f} M")
    results.print(f"macs: {cost.macs / 1e6:.6f} M for an image of {size} pixels")
    results.print(f"peak memory of the whole process: {peak_memory():.0f} MiB")


def _input_of(trained: TrainedNetwork) -> str:
    mean, std = (", ".join(f"{value:.4f}" for value in one) for one in (trained.mean, trained.std))
    return f"images from 0 to 1 are to be standardised: mean {mean}, deviation {std}"
