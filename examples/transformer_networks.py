"""The modules of transformer.yaml: encoders that tell texts apart, or that predict the next token."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusionnag.spaces import LanguageModelling, TextClassification

WIDTH = 256
WINDOW = 16
"""How many tokens away local attention looks."""


class Attention(nn.Module):
    """Full, local or linear attention of several heads, with rotary positions if they are wanted."""

    def __init__(self, kind: str, heads: int, *, rotary: bool, causal: bool) -> None:
        super().__init__()
        self.kind, self.heads, self.rotary, self.causal = kind, heads, rotary, causal
        self.queries_keys_values = nn.Linear(WIDTH, 3 * WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Return what each token gathers, `batch x length x WIDTH`; `present` is `batch x length`."""
        batch, length, _ = x.shape
        parts = self.queries_keys_values(x).view(batch, length, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        if self.kind == "linear":
            gathered = self._linear(queries, keys, values, present)
        else:
            if self.rotary:
                queries, keys = _rotated(queries), _rotated(keys)
            mask = self._visible(length, present)
            gathered = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return self.output(gathered.transpose(1, 2).reshape(batch, length, WIDTH))

    def _visible(self, length: int, present: Tensor) -> Tensor:
        """Return which token sees which, `batch x 1 x length x length`; each sees itself."""
        places = torch.arange(length, device=present.device)
        behind = places[:, None] - places[None]
        visible = present[:, None, None, :].expand(-1, 1, length, -1)
        if self.causal:
            visible = visible & (behind >= 0)
        if self.kind == "local":
            visible = visible & (behind.abs() <= WINDOW)
        return visible | (behind == 0)

    def _linear(self, queries: Tensor, keys: Tensor, values: Tensor, present: Tensor) -> Tensor:
        # Katharopoulos et al., "Transformers are RNNs", ICML 2020.
        queries, keys = F.elu(queries) + 1, (F.elu(keys) + 1) * present[:, None, :, None]
        if self.causal:
            sums = torch.einsum("bhld,bhle->bhlde", keys, values).cumsum(2)
            total = keys.cumsum(2)
            gathered = torch.einsum("bhld,bhlde->bhle", queries, sums)
        else:
            total = keys.sum(2, keepdim=True)
            gathered = queries @ (keys.transpose(2, 3) @ values)
        return gathered / ((queries * total).sum(-1, keepdim=True) + 1e-6)


class Block(nn.Module):
    """Attention and a feed-forward part, each normalised before and added to what it read."""

    def __init__(self, attention: Attention, hidden: int) -> None:
        super().__init__()
        self.attention, self.first, self.second = (
            attention,
            nn.LayerNorm(WIDTH),
            nn.LayerNorm(WIDTH),
        )
        self.feed_forward = nn.Sequential(
            nn.Linear(WIDTH, hidden), nn.GELU(), nn.Linear(hidden, WIDTH)
        )

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Return the tokens after both parts, `batch x length x WIDTH`."""
        x = x + self.attention(self.first(x), present)
        return x + self.feed_forward(self.second(x))


class Transformer(nn.Module):
    """A text encoder whose layers are shaped on their own."""

    def __init__(
        self, operations: Mapping[str, str], task: TextClassification | LanguageModelling
    ) -> None:
        super().__init__()
        self.models_language = task.kind == "language_modelling"
        self.pools_first = operations["pooling"] == "first"
        self.tokens = nn.Embedding(task.vocabulary, WIDTH)
        positions = operations["positions"]
        self.positions = None if positions == "rotary" else nn.Embedding(task.context, WIDTH)
        if self.positions is not None and positions == "sinusoidal":
            self.positions.weight.data.copy_(_sinusoids(task.context, self.positions.weight.device))
            self.positions.requires_grad_(False)
        self.blocks = nn.ModuleList()
        for layer in range(1, 7):
            kind = operations[f"encoder{layer}.attention"]
            if kind == "none":
                break
            heads = int(operations[f"encoder{layer}.heads"])
            rotary = positions == "rotary"
            attention = Attention(kind, heads, rotary=rotary, causal=self.models_language)
            self.blocks.append(Block(attention, int(operations[f"encoder{layer}.feed_forward"])))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, task.outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of classes, or of each next token, for tokens `batch x length`, 0 being none."""
        present = tokens != 0
        x = self.tokens(tokens)
        if self.positions is not None:
            x = x + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x, present)
        x = self.norm(x)
        if not self.models_language:
            shown = present[:, :, None]
            x = x[:, 0] if self.pools_first else (x * shown).sum(1) / shown.sum(1).clamp(min=1)
        return self.head(x)


def _sinusoids(length: int, device: torch.device) -> Tensor:
    places = torch.arange(length, device=device)[:, None]
    angles = places * torch.logspace(0, -4, WIDTH // 2, device=device)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _rotated(x: Tensor) -> Tensor:
    """Return vectors turned by their place in the text (Su et al. 2021), `batch x heads x length x d`."""
    half = x.shape[-1] // 2
    places = torch.arange(x.shape[2], device=x.device)[:, None]
    angles = places * torch.logspace(0, -4, half, device=x.device)
    first, second = x[..., :half], x[..., half:]
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def build(operations: Mapping[str, str], task: TextClassification | LanguageModelling) -> nn.Module:
    """Return the encoder of an architecture; `task` has vocabulary, context, kind and outputs."""
    return Transformer(operations, task)
