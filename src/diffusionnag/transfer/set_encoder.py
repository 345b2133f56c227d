"""The set encoder: from the images of a data set, class by class, to how hard it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 64
HEADS = 4


class SetEncoder(nn.Module):
    """A Set Transformer (Lee et al. 2019): within each class, then across classes.

    Neither the order of images in a class nor that of the classes matters.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(dimensions))
        self.register_buffer("spread", torch.ones(dimensions))
        self.embed = nn.Linear(dimensions, WIDTH)
        self.within = _Pooling()
        self.class_code = nn.Sequential(
            nn.Linear(dimensions + WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )
        self.across = _Attention()
        self.pool = _Pooling()
        self.last = nn.Linear(2 * WIDTH, 1)

    def forward(self, codes: Tensor, present: Tensor) -> Tensor:
        """Return the level of accuracies, `batch`, a standard normal score.

        Image codes are `batch x classes x images x dimensions`;
        `present` (`batch x classes x images` bool) tells images from padding; a class without one
        is padding itself.
        """
        batch, classes = codes.shape[:2]
        scaled = (codes - self.centre) / self.spread
        there = present.flatten(0, 1)
        some = there.any(1)
        seen = there | ~some[:, None]  # attention to nothing is not a number
        flat = scaled.flatten(0, 1)
        mean = (flat * there[..., None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        pooled = self.within(self.embed(flat), seen)
        of_class = self.class_code(torch.cat([mean, pooled], dim=1)).view(batch, classes, -1)
        real = some.view(batch, classes)
        attended = self.across(of_class, of_class, real)
        average = (attended * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return self.last(torch.cat([average, self.pool(attended, real)], dim=1))[:, 0]


class _Attention(nn.Module):
    """Queries that look at keys, with the residual feed-forward layer of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.forward_layers = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, queries: Tensor, keys: Tensor, real: Tensor) -> Tensor:
        seen, _ = self.attention(queries, keys, keys, key_padding_mask=~real, need_weights=False)
        queries = queries + seen
        return queries + self.forward_layers(queries)


class _Pooling(nn.Module):
    """A learnt query that gathers a set into one vector (pooling by multihead attention)."""

    def __init__(self) -> None:
        super().__init__()
        self.seed = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.attention = _Attention()

    def forward(self, members: Tensor, real: Tensor) -> Tensor:
        return self.attention(self.seed.expand(len(members), -1, -1), members, real)[:, 0]
