"""Networks as files for other programs: ONNX, and PyTorch's own exported programs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from diffusionnag._devices import torch_defaults
from diffusionnag._files import check_writable, write_atomically
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import random_inputs
from diffusionnag.spaces import Task

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

logger = logging.getLogger(__name__)

SUFFIXES = (".onnx", ".pt2")
TOLERANCE = 1e-4
"""Largest difference from PyTorch, relative to the largest output where that is above 1."""
CHECKED_BATCHES = (1, 2, 5)


def check_export_path(path: Path) -> None:
    """Raise DiffusionNAGError for a file of another kind, or one that cannot be written."""
    if path.suffix not in SUFFIXES:
        raise DiffusionNAGError(f"cannot export to {path}; name a file {' or '.join(SUFFIXES)}")
    check_writable(path)


@torch_defaults()
def export_network(network: nn.Module, task: Task, path: Path, opset: int | None = None) -> float:
    """Write a network into an `.onnx` or `.pt2` file, and check what it computes.

    The file takes what the task says, called `images`, `tokens`, `features` or `inputs`, with any
    batch, and texts of any length up to the context where the network does; it gives `logits`. `opset`
    is the version of ONNX's operators, the exporter's own if left out. Returns the largest difference
    from PyTorch on random inputs; raises DiffusionNAGError, and writes nothing, where it is above
    1e-4, and where the network cannot be exported.
    """
    check_export_path(path)
    network = network.cpu().eval()
    program, lengths = _traced(network, task)
    with write_atomically(path) as temporary, _quiet():
        if path.suffix == ".pt2":
            torch.export.save(program, temporary)
            run = torch.export.load(temporary).module()
            return _largest_error(network, task, lengths, lambda x: run(x).detach().numpy())
        dimensions = _dimensions(task) if len(lengths) > 1 else _dimensions(task)[:1]
        try:
            torch.onnx.export(
                program,
                f=str(temporary),
                input_names=[task.inputs],
                output_names=["logits"],
                dynamic_shapes=(
                    dict(enumerate(dimensions)),
                ),  # by which the file names its dimensions
                opset_version=opset,
                external_data=False,
                verbose=False,
            )
            session = onnx_session(temporary)
        except Exception as error:  # the exporter raises what it meets
            raise _cannot_export(error) from error
        return _largest_error(network, task, lengths, lambda x: run_session(session, x))


def onnx_session(path: Path, threads: int | None = None) -> InferenceSession:
    """Return an onnxruntime session for an ONNX file on the CPU, with so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_session(session: InferenceSession, x: torch.Tensor) -> np.ndarray:
    """Return what an onnxruntime session of one input and one output gives, `batch x ...`."""
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


def _dimensions(task: Task) -> list[Any]:
    """Return the dimensions of an input that may vary, from the first on."""
    batch = torch.export.Dim("batch", min=1)
    length = torch.export.Dim("length", min=2, max=max(3, task.input_shape[0]))
    return [batch, length] if task.vocabulary and len(task.input_shape) == 1 else [batch]


def _traced(network: nn.Module, task: Task) -> tuple[torch.export.ExportedProgram, list[int]]:
    """Return a network as a program, and the lengths of texts to check it on: several, or none."""
    dimensions = _dimensions(task)
    inputs = random_inputs(task, 2, torch.Generator().manual_seed(0))
    if len(dimensions) > 1:
        try:
            with _quiet():
                program = torch.export.export(
                    network, (inputs,), dynamic_shapes=(dict(enumerate(dimensions)),)
                )
            return program, [task.input_shape[0], max(2, task.input_shape[0] // 2)]
        except Exception:  # the exporter raises what it meets
            logger.info("the file takes texts of %d tokens only", task.input_shape[0])
    try:
        with _quiet():
            program = torch.export.export(network, (inputs,), dynamic_shapes=({0: dimensions[0]},))
    except Exception as error:  # the exporter raises what it meets
        raise _cannot_export(error) from error
    return program, [task.input_shape[0]]


def _cannot_export(error: Exception) -> DiffusionNAGError:
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return DiffusionNAGError(
        f"the network cannot be exported: {type(error).__name__}: {lines[0][:300]}"
    )


@torch.inference_mode()
def _largest_error(
    network: nn.Module, task: Task, lengths: list[int], run: Callable[[torch.Tensor], np.ndarray]
) -> float:
    rng, largest = torch.Generator().manual_seed(0), 0.0
    for batch in CHECKED_BATCHES:
        for length in lengths:
            x = random_inputs(task, batch, rng)
            x = x[:, :length] if task.vocabulary else x
            expected, exported = network(x).numpy(), run(x)
            error = np.abs(exported - expected).max() / max(1.0, np.abs(expected).max())
            largest = max(largest, float(error))
    if not largest <= TOLERANCE:
        raise DiffusionNAGError(
            f"the exported network differs from PyTorch's by {largest:.2g}, more than {TOLERANCE:g}"
        )
    return largest


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters from telling users of what they cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("torch.onnx", "onnxscript", "onnx_ir"):
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
