"""Networks as files for other programs: ONNX, PyTorch's own exported programs, and OpenVINO."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from diffusionnag._devices import torch_defaults
from diffusionnag._files import check_writable, write_atomically
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import random_inputs
from diffusionnag.networks.exported_file import SUFFIXES, open_exported, parts_of, require_backend
from diffusionnag.spaces import Graph, NodeClassification, Task

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference from PyTorch."""
CHECKED_BATCHES = (1, 2, 5)
EXAMPLES = 3
"""Inputs that a network is traced with; of two nodes each edge would be half of all."""


def check_export_path(path: Path) -> None:
    """Raise DiffusionNAGError for a file of another kind, or one that cannot be written."""
    if path.suffix not in SUFFIXES:
        raise DiffusionNAGError(
            f"cannot export to {path}; name a file {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    check_writable(path)


@torch_defaults()
def export_network(network: nn.Module, task: Task, path: Path, opset: int | None = None) -> float:
    """Write a network into an `.onnx`, `.pt2` or `.xml` file, and check what it computes.

    The file takes what the task says, called `images`, `tokens`, `features` or `inputs`, or of a graph
    `features` and `edges`, with any batch, and texts of any length up to the context where the network
    does; it gives `logits`. `opset` is the version of ONNX's operators, the exporter's own if left out.
    OpenVINO's `.xml` has its weights in a `.bin` file beside it, and is made of the ONNX file. Returns the
    largest difference from PyTorch on random inputs; raises DiffusionNAGError, and writes
    nothing, where it is above 1e-4, and where the network cannot be exported.
    """
    check_export_path(path)
    require_backend(path.suffix)
    network = network.cpu().eval()
    program, lengths = _traced(network, task)
    with tempfile.TemporaryDirectory() as folder, quiet_exporters():
        written = Path(folder) / f"network{path.suffix}"
        if path.suffix == ".pt2":
            torch.export.save(program, written)
        else:
            onnx = written.with_suffix(".onnx")
            names = list(Graph._fields) if isinstance(task, NodeClassification) else [task.inputs]
            # By which the file names its dimensions.
            shapes = _dynamic_shapes(task, any_length=len(lengths) > 1)
            write_onnx(program, onnx, names, ["logits"], shapes, opset)
            if path.suffix == ".xml":
                _convert_to_openvino(onnx, written)
        error = _largest_error(network, task, lengths, open_exported(written).run)
        if path.suffix == ".xml":
            copy_written(written.with_suffix(".bin"), path.with_suffix(".bin"))
        copy_written(written, path)
    return error


def copy_written(written: Path, path: Path) -> None:
    """Put a file that was written and checked where it belongs, all at once."""
    with write_atomically(path) as temporary:
        shutil.copyfile(written, temporary)


def write_onnx(
    program: torch.export.ExportedProgram,
    path: Path,
    inputs: list[str],
    outputs: list[str],
    dynamic_shapes: tuple[Any, ...],
    opset: int | None,
) -> None:
    """Write a program as an ONNX file, with names for what goes in and comes out."""
    try:
        torch.onnx.export(
            program,
            f=str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=dynamic_shapes,
            opset_version=opset,
            external_data=False,
            verbose=False,
        )
    except Exception as error:  # the exporter raises what it meets
        raise cannot_export(error) from error


def _convert_to_openvino(onnx: Path, path: Path) -> None:
    import openvino

    try:
        openvino.save_model(openvino.Core().read_model(onnx), path, compress_to_fp16=False)
    except Exception as error:  # the converter raises what it meets
        raise cannot_export(error) from error


class _OfParts(nn.Module):
    """A network of graphs that takes features and edges apart: no file need know what a `Graph` is."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        """Return the logits of nodes, `nodes x classes`."""
        return self.network(Graph(features, edges))


def _dynamic_shapes(task: Task, *, any_length: bool) -> tuple[Any, ...]:
    """Return which dimensions of what goes in may vary, as torch names them."""
    if isinstance(task, NodeClassification):
        return ({0: torch.export.Dim("nodes")}, {1: torch.export.Dim("edges")})
    batch = torch.export.Dim("batch", min=1)
    if not any_length:
        return ({0: batch},)
    return ({0: batch, 1: torch.export.Dim("length", min=2, max=max(3, task.input_shape[0]))},)


def _traced(network: nn.Module, task: Task) -> tuple[torch.export.ExportedProgram, list[int]]:
    """Return a network as a program, and the lengths of texts to check it on: several, or none."""
    inputs = parts_of(random_inputs(task, EXAMPLES, torch.Generator().manual_seed(0)))
    network = _OfParts(network) if len(inputs) > 1 else network
    if task.vocabulary and len(task.input_shape) == 1:
        try:
            shapes = _dynamic_shapes(task, any_length=True)
            with quiet_exporters():
                program = torch.export.export(network, inputs, dynamic_shapes=shapes)
            return program, [task.input_shape[0], max(2, task.input_shape[0] // 2)]
        except Exception:  # the exporter raises what it meets
            logger.info("the file takes texts of %d tokens only", task.input_shape[0])
    try:
        with quiet_exporters():
            shapes = _dynamic_shapes(task, any_length=False)
            program = torch.export.export(network, inputs, dynamic_shapes=shapes)
    except Exception as error:  # the exporter raises what it meets
        raise cannot_export(error) from error
    return program, [task.input_shape[0]]


def cannot_export(error: Exception) -> DiffusionNAGError:
    """Return the error for a network that an exporter refuses."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return DiffusionNAGError(
        f"the network cannot be exported: {type(error).__name__}: {lines[0][:300]}"
    )


@torch.inference_mode()
def _largest_error(
    network: nn.Module, task: Task, lengths: list[int], run: Callable[[Any], np.ndarray]
) -> float:
    rng, largest = torch.Generator().manual_seed(0), 0.0
    for batch in CHECKED_BATCHES:
        for length in lengths:
            x = random_inputs(task, batch, rng)
            x = x[:, :length] if task.vocabulary and not isinstance(x, Graph) else x
            expected, exported = network(x).numpy(), run(x)
            largest = max(largest, difference(exported, expected))
    return tolerated(largest)


def difference(exported: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the largest output where that is above 1."""
    return float(np.abs(exported - expected).max() / max(1.0, np.abs(expected).max()))


def tolerated(largest: float) -> float:
    """Return a difference from PyTorch; raises DiffusionNAGError where it is above the tolerance."""
    if not largest <= TOLERANCE:
        raise DiffusionNAGError(
            f"the exported network differs from PyTorch's by {largest:.2g}, more than {TOLERANCE:g}"
        )
    return largest


@contextmanager
def quiet_exporters() -> Iterator[None]:
    """Keep the exporters from telling users of what they cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("torch.onnx", "onnxscript", "onnx_ir"):
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
