"""What a language model writes: each next token drawn from what the network says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from diffusionnag._devices import torch_defaults
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.tasks import CorpusData, OwnFit, TaskData
from diffusionnag.networks.trained_network import TrainedNetwork
from diffusionnag.spaces import LanguageModelling
from diffusionnag.text import tokenizer_from_json

Cache = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of all tokens so far, a pair for each layer: `batch x heads x length x size`."""
PROMPT = 48
"""Tokens of a held-out text that are gone on from."""


@runtime_checkable
class HasCache(Protocol):
    """A language model that remembers each layer's keys and values, and need not read a text anew."""

    def empty_cache(self, batch: int) -> Cache:
        """Return the cache before the first token; layers may differ in heads and their size."""
        ...

    def decode(self, tokens: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Return the logits of `batch x new` tokens behind those of a cache, and the cache with them."""
        ...


@torch_defaults()
def continue_text(
    trained: TrainedNetwork,
    prompt: str,
    *,
    tokens: int = 200,
    temperature: float = 0.8,
    seed: int = 0,
) -> str:
    """Return so many tokens, as text, that a trained language model writes behind a prompt.

    Logits are divided by the temperature; at 0 it is always the likeliest token. The network sees
    at most its task's context: once that is full, it goes on from the last half. Bytes that are no
    UTF-8 become replacement characters. Raises DiffusionNAGError for a network of another task, or one
    that was not trained on tokens, an empty prompt, impossible settings, and a network that fails.
    """
    if not isinstance(trained.task, LanguageModelling) or "tokens" not in trained.preparation:
        raise DiffusionNAGError("the network was not trained to go on with texts")
    if tokens < 1:
        raise DiffusionNAGError(f"tokens is {tokens}; it must be at least 1")
    if not temperature >= 0:
        raise DiffusionNAGError(f"the temperature {temperature} is below 0")
    tokenizer = tokenizer_from_json(trained.preparation)
    start = tokenizer.encode(prompt).tolist()
    if not start:
        raise DiffusionNAGError("there is nothing to go on from: the prompt is empty")
    rng = torch.Generator().manual_seed(check_seed(seed))

    def draw(logits: Tensor) -> int:
        logits = logits.float().cpu()
        logits[0] = -torch.inf  # what stands behind the end of a text
        if temperature == 0:
            return int(logits.argmax())
        return int(torch.multinomial(torch.softmax(logits / temperature, 0), 1, generator=rng))

    drawn = _continued(trained.network.eval(), start, trained.task.context, draw)
    with torch.inference_mode():
        try:
            return tokenizer.decode(list(islice(drawn, tokens)))
        except Exception as error:  # whatever the user's own network raises
            raise DiffusionNAGError(
                f"the network cannot go on with a text: {type(error).__name__}: {error}"
            ) from error


def continue_held_out(
    trained: TrainedNetwork, data: TaskData | OwnFit, seed: int = 0
) -> tuple[str, str] | None:
    """Return how a held-out text begins and how a network goes on; None for data that are no text."""
    if not isinstance(data, CorpusData):
        return None
    first = data.held_out[: min(PROMPT, data.task.context)].tolist()
    # Of bytes, the last character may be cut in two.
    prompt = tokenizer_from_json(data.preparation).decode(first).rstrip("\N{REPLACEMENT CHARACTER}")
    return (prompt, continue_text(trained, prompt, seed=seed)) if prompt else None


def _continued(
    network: nn.Module, window: list[int], context: int, draw: Callable[[Tensor], int]
) -> Iterator[int]:
    """Yield one token after the other, each drawn from the logits behind all of those before it."""
    device = next(network.parameters()).device
    window, remembered, cache = window[-context:], 0, Cache()
    while True:
        if len(window) > context:
            window, remembered = window[-max(1, context // 2) :], 0
        new = torch.tensor([window[remembered:]], device=device)
        if isinstance(network, HasCache):
            logits, cache = network.decode(new, cache if remembered else network.empty_cache(1))
            remembered = len(window)
        else:
            logits = network(new)
        window.append(draw(logits[0, -1]))
        yield window[-1]
