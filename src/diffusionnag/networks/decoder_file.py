"""Language models as ONNX files that take new tokens and past keys and values, and give more of them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffusionnag._devices import torch_defaults
from diffusionnag._files import check_writable
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import random_inputs
from diffusionnag.networks.exported_file import ExportedFile, open_exported, require_backend
from diffusionnag.networks.exporting import (
    cannot_export,
    copy_written,
    difference,
    quiet_exporters,
    tolerated,
    write_onnx,
)
from diffusionnag.networks.text_decoding import Cache, HasCache
from diffusionnag.spaces import Task

PAST, PRESENT = "past_key_values", "present"
"""What goes in and comes out is called `past_key_values.LAYER.key` and so on, as Optimum has it."""
CHECKED = 24
"""Tokens that a file is checked on, as far as the context goes."""
EXAMPLES, NEW, SEEN = 3, 4, 5
"""Texts, new and past tokens that a network is traced with: different numbers, and none of them 1."""


@dataclass(frozen=True)
class ExportedDecoder:
    """A language model in a file, which decodes on the CPU as a network that has a cache does."""

    file: ExportedFile

    def empty_cache(self, batch: int) -> Cache:
        """Return the cache before the first token."""
        sizes = [
            (batch, heads or 1, 0, size or 1)
            for _, heads, _, size in (entry.shape for entry in self.file.inputs[1::2])
        ]
        return tuple((torch.zeros(size), torch.zeros(size)) for size in sizes)

    def decode(self, tokens: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Return the logits of `batch x new` tokens behind those of a cache, and the cache with them."""
        past = (each for pair in cache for each in pair)
        logits, *present = map(torch.from_numpy, self.file.call((tokens, *past)))
        return logits, tuple(zip(present[::2], present[1::2], strict=True))


def open_decoder(path: Path, threads: int | None = None) -> ExportedDecoder:
    """Return the language model of a file that `export_decoder` wrote, to run with so many threads.

    Raises DiffusionNAGError for any other file, and as `open_exported` does.
    """
    file = open_exported(path, threads)
    if not takes_cache(file):
        raise DiffusionNAGError(f"{path} takes no cache; `export --cache` writes one that does")
    return ExportedDecoder(file)


def takes_cache(file: ExportedFile) -> bool:
    """Whether a file takes past keys and values beside tokens."""
    return any(entry.name.startswith(PAST) for entry in file.inputs)


@torch_defaults()
def export_decoder(network: nn.Module, task: Task, path: Path, opset: int | None = None) -> float:
    """Write a language model with its cache into an `.onnx` file, and check what it computes.

    It takes `tokens`, `batch x new`, and `past_key_values.LAYER.key` and `.value` of each layer,
    `batch x heads x past x size`, which may be of no tokens yet; it gives `logits` and the new
    `present.LAYER.key` and `.value`. Returns the largest difference between PyTorch's logits for a
    whole text and the file's for one token after another; raises DiffusionNAGError, and writes nothing,
    where it is above 1e-4, for a network without a cache, and for another kind of file.
    """
    if not isinstance(network, HasCache):
        raise DiffusionNAGError(
            "the network keeps no cache of keys and values: it has no `empty_cache` and `decode`; "
            "export it without a cache"
        )
    if path.suffix != ".onnx":
        raise DiffusionNAGError(f"cannot export a cache to {path}; name a file .onnx")
    check_writable(path)
    require_backend(path.suffix)
    network = network.cpu().eval()
    with tempfile.TemporaryDirectory() as folder, quiet_exporters():
        written = Path(folder) / "network.onnx"
        _write(_Decoding(network), task, written, opset)
        error = tolerated(_largest_difference(network, task, open_decoder(written)))
        copy_written(written, path)
    return error


class _Decoding(nn.Module):
    """A network whose forward pass is a step of decoding, which is what exporters look at."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Return logits and the new cache."""
        return self.network.decode(tokens, cache)


def _write(decoding: _Decoding, task: Task, path: Path, opset: int | None) -> None:
    tokens = torch.randint(1, task.vocabulary, (EXAMPLES, NEW))
    batch, new = torch.export.Dim("batch", min=1), torch.export.Dim("new", min=1)
    past = torch.export.Dim("past", min=0)
    try:
        cache = decoding.network.empty_cache(EXAMPLES)
        with torch.no_grad():
            _, cache = decoding(torch.randint(1, task.vocabulary, (EXAMPLES, SEEN)), cache)
        kept = {0: batch, 2: past}
        shapes = ({0: batch, 1: new}, tuple((kept, kept) for _ in cache))
        program = torch.export.export(decoding, (tokens, cache), dynamic_shapes=shapes)
    except Exception as error:  # the exporter, or the user's own network, raises what it meets
        raise cannot_export(error) from error
    pairs = [f"{layer}.{part}" for layer in range(len(cache)) for part in ("key", "value")]
    inputs = ["tokens", *(f"{PAST}.{name}" for name in pairs)]
    outputs = ["logits", *(f"{PRESENT}.{name}" for name in pairs)]
    write_onnx(program, path, inputs, outputs, shapes, opset)


@torch.inference_mode()
def _largest_difference(network: nn.Module, task: Task, file: ExportedDecoder) -> float:
    rng, differences = torch.Generator().manual_seed(0), list[float]()
    for batch in (1, 2):
        tokens = random_inputs(task, batch, rng)[:, :CHECKED]  # type: ignore[index]
        # Of the second batch, half is read at once.
        first = tokens.shape[1] // 2 if batch > 1 else 0
        sizes = [first] * (first > 0) + [1] * (tokens.shape[1] - first)
        cache, logits = file.empty_cache(batch), list[Tensor]()
        for new in tokens.split(sizes, dim=1):
            step, cache = file.decode(new, cache)
            logits.append(step)
        differences.append(difference(torch.cat(logits, 1).numpy(), network(tokens).numpy()))
    return max(differences)
