"""Exported networks read again: by onnxruntime, PyTorch or OpenVINO, as their suffix says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffusionnag._packages import require_packages
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Graph

SUFFIXES = (".onnx", ".pt2", ".xml")
"""ONNX, PyTorch's exported programs, and OpenVINO, which keeps weights in a `.bin` file beside it."""
BACKEND_OF: dict[str, str] = dict(zip(SUFFIXES, ("onnxruntime", "torch", "openvino"), strict=True))
"""What runs such a file."""

Inputs = torch.Tensor | Graph


@dataclass(frozen=True)
class FileInput:
    """What a file takes: dimensions that may vary are None, and tokens or edges are whole numbers."""

    name: str
    shape: tuple[int | None, ...]
    whole: bool


@dataclass(frozen=True)
class ExportedFile:
    """A network in a file: what it takes, and a function that returns all of its outputs."""

    inputs: tuple[FileInput, ...]
    call: Callable[[Sequence[torch.Tensor]], Sequence[np.ndarray]]

    def run(self, inputs: Inputs) -> np.ndarray:
        """Return the first output, `batch x ...`."""
        return self.call(parts_of(inputs))[0]


def parts_of(inputs: Inputs) -> tuple[torch.Tensor, ...]:
    """Return what a file takes one after the other."""
    return tuple(inputs) if isinstance(inputs, Graph) else (inputs,)


def require_backend(suffix: str) -> None:
    """Raise DiffusionNAGError unless the packages for a kind of file are there."""
    if suffix != ".pt2":
        require_packages("export", "onnx", "onnxscript", "onnxruntime")
    if suffix == ".xml":
        require_packages("openvino", "openvino")


def open_exported(path: Path, threads: int | None = None) -> ExportedFile:
    """Return the network of an exported file, to run on the CPU with so many threads.

    A `.pt2` file has as many as torch has. Raises DiffusionNAGError for a file that is missing, damaged
    or of another kind.
    """
    if path.suffix not in SUFFIXES:
        raise DiffusionNAGError(f"{path} is no exported file: {' or '.join(SUFFIXES)}")
    if not path.is_file():
        raise DiffusionNAGError(f"no file {path}")
    require_backend(path.suffix)
    openers = {".onnx": _onnx, ".pt2": _program, ".xml": _openvino}
    try:
        return openers[path.suffix](path, threads)
    except Exception as error:  # each backend raises classes of its own
        raise DiffusionNAGError(f"{path} is damaged, or no {path.suffix} file") from error


def _onnx(path: Path, threads: int | None) -> ExportedFile:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    entries = tuple(
        FileInput(
            entry.name,
            tuple(size if isinstance(size, int) else None for size in entry.shape),
            "int" in entry.type,
        )
        for entry in session.get_inputs()
    )

    def call(inputs: Sequence[torch.Tensor]) -> Sequence[np.ndarray]:
        named = zip(entries, inputs, strict=True)
        outputs = session.run(None, {entry.name: x.numpy() for entry, x in named})
        return [np.asarray(output) for output in outputs]

    return ExportedFile(entries, call)


def _program(path: Path, _: int | None) -> ExportedFile:
    program = torch.export.load(path)
    module = program.module()
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes}
    values = [(str(name), nodes[str(name)].meta["val"]) for name in names]
    entries = tuple(
        FileInput(
            name,
            tuple(size if isinstance(size, int) else None for size in value.shape),
            not value.is_floating_point(),
        )
        for name, value in values
    )

    def call(inputs: Sequence[torch.Tensor]) -> Sequence[np.ndarray]:
        return [module(*inputs).detach().numpy()]

    return ExportedFile(entries, call)


def _openvino(path: Path, threads: int | None) -> ExportedFile:
    import openvino

    # Without this it computes in bfloat16 where the CPU can.
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(str(path), "CPU", options)
    entries = tuple(
        FileInput(
            entry.get_any_name(),
            tuple(
                size.get_length() if size.is_static else None for size in entry.get_partial_shape()
            ),
            not entry.get_element_type().is_real(),
        )
        for entry in compiled.inputs
    )

    def call(inputs: Sequence[torch.Tensor]) -> Sequence[np.ndarray]:
        return [np.asarray(compiled([x.numpy() for x in inputs])[0])]

    return ExportedFile(entries, call)
