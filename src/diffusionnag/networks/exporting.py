"""Networks as files for other programs: ONNX, and PyTorch's own exported programs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from diffusionnag._devices import torch_defaults
from diffusionnag._files import check_writable, write_atomically
from diffusionnag.errors import DiffusionNAGError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

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
def export_network(network: nn.Module, resolution: int, path: Path) -> float:
    """Write a network into an `.onnx` or `.pt2` file, and check what it computes.

    The file takes `images`, `batch x 3 x resolution x resolution` with any batch, and gives
    `logits`. Returns the largest difference from PyTorch on random images; raises DiffusionNAGError,
    and writes nothing, where it is above 1e-4.
    """
    check_export_path(path)
    network = network.cpu().eval()
    images = torch.zeros(2, 3, resolution, resolution)
    dimensions = ({0: torch.export.Dim("batch", min=1)},)
    with write_atomically(path) as temporary, _quiet():
        program = torch.export.export(network, (images,), dynamic_shapes=dimensions)
        if path.suffix == ".pt2":
            torch.export.save(program, temporary)
            run = torch.export.load(temporary).module()
            error = _largest_error(network, resolution, lambda x: run(x).detach().numpy())
        else:
            torch.onnx.export(
                program,
                f=str(temporary),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=dimensions,  # by which the file names its dimensions
                external_data=False,
                verbose=False,
            )
            session = onnx_session(temporary)
            error = _largest_error(network, resolution, lambda x: run_session(session, x))
    return error


def onnx_session(path: Path, threads: int | None = None) -> InferenceSession:
    """Return an onnxruntime session for an ONNX file on the CPU, with so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_session(session: InferenceSession, x: torch.Tensor) -> np.ndarray:
    """Return the logits of images, `batch x classes`, by an onnxruntime session."""
    return np.asarray(session.run(None, {"images": x.numpy()})[0])


@torch.inference_mode()
def _largest_error(
    network: nn.Module, resolution: int, run: Callable[[torch.Tensor], np.ndarray]
) -> float:
    rng, largest = torch.Generator().manual_seed(0), 0.0
    for batch in CHECKED_BATCHES:
        x = torch.randn(batch, 3, resolution, resolution, generator=rng)
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
