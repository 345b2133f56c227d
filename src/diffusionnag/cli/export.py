"""`diffusionnag export`: a network as a file for other programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diffusionnag.cli.options import ArchitectureText, Classes, Context, Resolution, Space, Width

if TYPE_CHECKING:
    from diffusionnag.networks import TrainedNetwork


def export(
    space: Space,
    architecture: ArchitectureText,
    to: Annotated[Path, typer.Option(help="File to write: .onnx, .pt2 or (OpenVINO) .xml.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="Folder of `train` or `supernet`; random weights if left out."),
    ] = None,
    resolution: Resolution = None,
    width: Width = 1.0,
    classes: Classes = None,
    context: Context = None,
    cache: Annotated[
        bool,
        typer.Option(
            "--cache",
            help="Of a language model, an .onnx file that takes past keys and values beside new tokens.",
        ),
    ] = False,
    opset: Annotated[
        int | None,
        typer.Option(help="Version of ONNX's operators; the exporter's own if left out."),
    ] = None,
) -> None:
    """Export a network to ONNX, OpenVINO or PyTorch's own format, and check what the file computes."""
    from diffusionnag._packages import require_packages
    from diffusionnag.cli.console import messages, results

    require_packages("export", "onnx", "onnxscript", "onnxruntime")
    from diffusionnag.networks import (
        build_network,
        check_export_path,
        export_decoder,
        export_network,
        task_of,
    )
    from diffusionnag.spaces import ImageClassification, ImageRegression, get_search_space
    from diffusionnag.supernets import inherited

    check_export_path(to)
    search_space = get_search_space(space)
    chosen = search_space.parse(architecture)
    task = task_of(
        search_space, classes=classes, resolution=resolution, width=width, context=context
    )
    if weights is None:
        network = build_network(search_space, chosen, task=task)
        note = "the weights are random; --weights takes a folder of `train` or `supernet`"
    else:
        trained = inherited(weights, search_space, chosen, calibrated=True)
        network, task = trained.network, trained.task
        if resolution is not None and isinstance(task, ImageClassification | ImageRegression):
            task = replace(task, resolution=resolution)
        note = _input_of(trained)
    error = (export_decoder if cache else export_network)(network, task, to, opset)
    messages.print(note, markup=False)
    results.print(f"written to {to}; it differs from PyTorch by {error:.2g} at most", markup=False)


def _input_of(trained: TrainedNetwork) -> str:
    from diffusionnag.artifacts.checkpoints import CONFIG_FILE

    kept = trained.preparation
    if trained.task.inputs == "images":
        mean, std = (", ".join(f"{value:.4f}" for value in kept[name]) for name in ("mean", "std"))
        return f"images from 0 to 1 are to be standardised: mean {mean}, deviation {std}"
    return f"how {trained.task.inputs} are prepared says `preparation` in its {CONFIG_FILE}"
