"""How long a language model takes for a token on this machine, where what came before is remembered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeGuard

import torch
from torch import nn

from diffusionnag._devices import torch_defaults, torch_threads
from diffusionnag.networks.building import random_inputs
from diffusionnag.networks.decoder_file import (
    ExportedDecoder,
    export_decoder,
    open_decoder,
    takes_cache,
)
from diffusionnag.networks.exported_file import open_exported
from diffusionnag.networks.latency import Latency, LatencySettings, timed
from diffusionnag.networks.text_decoding import HasCache
from diffusionnag.spaces import Task

BACKENDS = ("torch", "onnxruntime")
"""What runs a step of decoding."""


def decodes(network: nn.Module, backend: str) -> TypeGuard[HasCache]:
    """Return whether a network generates token by token, with a cache, by that backend."""
    return isinstance(network, HasCache) and backend in BACKENDS


@torch_defaults()
def measure_generation(network: nn.Module, task: Task, settings: LatencySettings) -> Latency | None:
    """Return the latency of the last token of the context, by a cache of all before it.

    None where `measure_generations` has none.
    """
    latencies = measure_generations([network], task, settings)
    return latencies[0] if latencies else None


@torch_defaults()
def measure_generations(
    networks: Sequence[nn.Module], task: Task, settings: LatencySettings
) -> list[Latency] | None:
    """Return the latency of the last token of the context by each network, all measured in turn.

    None unless each of them `decodes` by the backend: a token then takes a whole text. Raises
    DiffusionNAGError as `LatencySettings.check` does.
    """
    settings.check()
    with_cache = [network for network in networks if decodes(network, settings.backend)]
    if len(with_cache) < len(networks):
        return None
    tokens = random_inputs(task, settings.batch, torch.Generator().manual_seed(0))
    assert isinstance(tokens, torch.Tensor)
    with torch_threads(settings.threads), ExitStack() as stack:
        decoders = [stack.enter_context(_decoder(each, task, settings)) for each in with_cache]
        return _last_token(decoders, tokens, settings)


@torch_defaults()
def measure_file_generation(path: Path, settings: LatencySettings, length: int) -> Latency | None:
    """Return the latency of the last of `length` tokens by an exported file, None if it takes no cache.

    Raises DiffusionNAGError as `open_exported` does.
    """
    settings.check()
    file = open_exported(path, settings.threads)
    if not takes_cache(file):
        return None
    # Of tokens, 1 is one in whatever vocabulary.
    tokens = torch.ones((settings.batch, length), dtype=torch.int64)
    (latency,) = _last_token([ExportedDecoder(file)], tokens, settings)
    return latency


@torch.inference_mode()
def _last_token(
    decoders: Sequence[HasCache], tokens: torch.Tensor, settings: LatencySettings
) -> list[Latency]:
    steps = [_step_after(decoder, tokens[:, :-1]) for decoder in decoders]
    return timed(steps, tokens[:, -1:], settings.repeats)


def _step_after(decoder: HasCache, before: torch.Tensor) -> Callable[[torch.Tensor], object]:
    """Return what decodes one more token, `batch x 1`, after those before, `batch x length`."""
    cache = decoder.empty_cache(len(before))
    if before.shape[1] > 0:
        _, cache = decoder.decode(before, cache)
    return lambda token: decoder.decode(token, cache)


@contextmanager
def _decoder(network: HasCache, task: Task, settings: LatencySettings) -> Iterator[HasCache]:
    assert isinstance(network, nn.Module)
    if settings.backend == "torch":
        yield network.cpu().eval()
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decoder.onnx"
        export_decoder(network, task, path)
        yield open_decoder(path, settings.threads)
