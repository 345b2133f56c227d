"""One long text, each token of which is to be predicted from those before it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.augmentation import Augmentation
from diffusionnag.networks.tasks.task_data import Predict
from diffusionnag.spaces import LanguageModelling
from diffusionnag.text import new_tokenizer, read_corpus

HELD_OUT_SHARE = 0.1
"""The end of a text that comes without another one to test on."""
EVALUATION_BATCH = 64


@dataclass(frozen=True, eq=False)
class CorpusData:
    """Two texts as tokens, int64: one to train on, in windows of the context, and one held out.

    `held_out_bytes` is the length of the latter as it was written.
    """

    task: LanguageModelling
    training: np.ndarray
    held_out: np.ndarray
    held_out_bytes: int
    preparation: dict[str, Any]
    skipped: int = 0

    @property
    def metric(self) -> str:
        """The value by which networks are compared, by name."""
        return self.task.metric

    @property
    def count(self) -> int:
        """How many windows there are to train on."""
        return max(1, (len(self.training) - 1) // self.task.context)

    @property
    def summary(self) -> str:
        """How much there is to train on, in words."""
        return f"a text of {len(self.training):,} tokens, {self.task.vocabulary:,} different ones"

    @property
    def held_out_summary(self) -> str:
        """How much is held out, in words."""
        return f"a held-out text of {self.held_out_bytes:,} bytes"

    def batch(
        self, chosen: Tensor, augmentation: Augmentation, device: Any
    ) -> tuple[Tensor, Tensor]:
        """Return windows, each shifted at random within its place, and the tokens that follow each."""
        context = self.task.context
        last = len(self.training) - 1 - context
        starts = (chosen * context + torch.randint(context, (len(chosen),))).clamp(max=last)
        windows = torch.from_numpy(self.training)[starts[:, None] + torch.arange(context + 1)]
        return windows[:, :-1].to(device), windows[:, 1:].to(device)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Return the cross-entropy of each next token, in nats."""
        return F.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(), label_smoothing=label_smoothing
        )

    def evaluate(self, predict: Predict, device: Any) -> dict[str, float]:
        """Return `bits_per_byte`, and the `perplexity` of a token, over the whole held-out text."""
        context, total = self.task.context, 0.0
        tokens = torch.from_numpy(self.held_out)
        full = (len(tokens) - 1) // context
        windows = [tokens[start * context : (start + 1) * context + 1] for start in range(full)]
        batches = [
            torch.stack(windows[n : n + EVALUATION_BATCH]) for n in range(0, full, EVALUATION_BATCH)
        ]
        rest = tokens[full * context :]
        for batch in [*batches, rest[None]] if len(rest) > 1 else batches:
            outputs = predict(batch[:, :-1].to(device)).flatten(0, 1).float()
            following = batch[:, 1:].to(device).flatten()
            total += float(F.cross_entropy(outputs, following, reduction="sum"))
        nats = total / (len(tokens) - 1)
        return {
            "bits_per_byte": total / math.log(2) / self.held_out_bytes,
            "perplexity": math.exp(min(nats, 700.0)),
        }

    def fingerprint(self) -> str:
        """Return a number in hexadecimal that tells these data from others."""
        total = hashlib.sha256(self.training.tobytes())
        total.update(self.held_out.tobytes())
        return total.hexdigest()[:16]


def read_corpus_data(
    data: str | Path,
    task: LanguageModelling,
    *,
    test: str | Path | None = None,
    tokens: str = "bytes",
    subset: int | None = None,
) -> CorpusData:
    """Read a text file as tokens; `subset` limits how many characters of it are used."""
    text = read_corpus(data)[:subset]
    cut = len(text) if test is not None else len(text) - round(HELD_OUT_SHARE * len(text))
    seen, held_out = text[:cut], text[cut:] if test is None else read_corpus(test)[:subset]
    tokenizer = new_tokenizer(tokens, [seen])
    task = replace(task, vocabulary=tokenizer.vocabulary)
    training, judged = tokenizer.encode(seen), tokenizer.encode(held_out)
    if len(training) <= task.context or len(judged) < 2:
        raise DiffusionNAGError(
            f"{data} is too short: {len(training)} tokens to train on, {len(judged)} held out, and a "
            f"context of {task.context}"
        )
    return CorpusData(task, training, judged, len(held_out.encode()), tokenizer.as_json())
