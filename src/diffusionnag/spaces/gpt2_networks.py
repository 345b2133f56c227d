"""Language models of GPT-2 shapes, whose layers have heads and feed-forward widths of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusionnag.spaces.gpt2 import HEAD_SIZE

ROTATED = 32
"""Numbers of a head's 64 that are turned by their place in the text; the others are not."""
ROTARY_BASE = 10_000.0
Remembered = tuple[Tensor, Tensor]
"""Keys and values of the tokens that a layer has seen, each `batch x heads x length x HEAD_SIZE`."""
DEVIATION = 0.02
"""Of freshly initialised weights, as in GPT-2 (Radford et al. 2019)."""


class LanguageModel(nn.Module):
    """Tokens `batch x length` to logits of each next token, `batch x length x vocabulary`."""

    def __init__(
        self, width: int, layers: Sequence[tuple[int, int]], *, bias: bool, vocabulary: int
    ) -> None:
        super().__init__()
        self.heads = tuple(heads for heads, _ in layers)
        self.embedding = nn.Embedding(vocabulary, width)
        blocks = [Block(width, heads, ratio, bias) for heads, ratio in layers]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.apply(_initialise)
        for block in blocks:
            for layer in (block.attention.output, block.feed_forward.output):
                # What all layers add to their input has the variance that one would add.
                nn.init.normal_(layer.weight, std=DEVIATION / math.sqrt(2 * len(layers)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits; no token sees those behind it."""
        x = self.embedding(tokens)
        rotation = _rotation(0, tokens.shape[1], x)
        for block in self.blocks:
            x, _ = block(x, rotation, None)
        return self.head(self.norm(x))

    def empty_cache(self, batch: int) -> tuple[Remembered, ...]:
        """Return what each layer remembers before the first token."""
        weight = self.embedding.weight
        sizes = [(batch, heads, 0, HEAD_SIZE) for heads in self.heads]
        return tuple((weight.new_zeros(size), weight.new_zeros(size)) for size in sizes)

    def decode(
        self, tokens: Tensor, cache: tuple[Remembered, ...]
    ) -> tuple[Tensor, tuple[Remembered, ...]]:
        """Return the logits of tokens that follow those of a cache, and the cache of all of them.

        They are what `forward` gives for the whole text, at a fraction of the work.
        """
        x = self.embedding(tokens)
        rotation = _rotation(cache[0][0].shape[2], tokens.shape[1], x)
        remembered = []
        for block, past in zip(self.blocks, cache, strict=True):
            x, present = block(x, rotation, past)
            remembered.append(present)
        return self.head(self.norm(x)), tuple(remembered)


class Block(nn.Module):
    """Attention and a gated feed-forward part beside each other, added to their common input.

    Source: GPT-NeoX (Black et al. 2022), whose layers HW-GPT-Bench measured.
    """

    def __init__(self, width: int, heads: int, ratio: int, bias: bool) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, bias)
        self.feed_forward = GatedFeedForward(width, ratio * width, bias)

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], past: Remembered | None
    ) -> tuple[Tensor, Remembered]:
        """Return the tokens after both parts, `batch x length x width`, and what attention saw."""
        gathered, remembered = self.attention(self.first_norm(x), rotation, past)
        return x + gathered + self.feed_forward(self.second_norm(x)), remembered


class Attention(nn.Module):
    """Causal attention of several heads, half of each turned by the token's place (Su et al. 2021)."""

    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * heads * HEAD_SIZE, bias=bias)
        self.output = nn.Linear(heads * HEAD_SIZE, width, bias=bias)

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], past: Remembered | None
    ) -> tuple[Tensor, Remembered]:
        """Return what each token gathers, `batch x length x width`, and all keys and values.

        A token sees itself, those before it, and the past.
        """
        parts = self.queries_keys_values(x).unflatten(-1, (3, self.heads, HEAD_SIZE))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        queries, keys, mask = _rotated(queries, rotation), _rotated(keys, rotation), None
        if past is not None:
            keys, values = torch.cat((past[0], keys), dim=2), torch.cat((past[1], values), dim=2)
            places = torch.arange(keys.shape[2], device=x.device)
            mask = places <= places[past[0].shape[2] :, None]
        gathered = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=past is None
        )
        return self.output(gathered.transpose(1, 2).flatten(2)), (keys, values)


class GatedFeedForward(nn.Module):
    """Two projections of which one gates the other, and one back (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=bias)
        self.value = nn.Linear(width, hidden, bias=bias)
        self.output = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return `batch x length x width`."""
        return self.output(functional.silu(self.gate(x)) * self.value(x))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=DEVIATION)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _rotation(first: int, length: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of places' angles, `length x ROTATED / 2` from the first on, as x is."""
    half = ROTATED // 2
    speeds = ROTARY_BASE ** (-torch.arange(half, device=x.device) / half)
    angles = torch.arange(first, first + length, device=x.device)[:, None] * speeds
    return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


def _rotated(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Return heads `batch x heads x length x HEAD_SIZE`, their first numbers turned."""
    cosine, sine = rotation
    first, second, rest = x.split((ROTATED // 2, ROTATED // 2, HEAD_SIZE - ROTATED), dim=-1)
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    return torch.cat((*turned, rest), dim=-1)
