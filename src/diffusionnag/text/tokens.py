"""Tokens: bytes, or byte pairs that the `tokenizers` package learns from the texts at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from diffusionnag._packages import require_packages
from diffusionnag.errors import DiffusionNAGError

BYTES = "bytes"
BYTE_PAIRS = "bpe:"
FEWEST_PAIRS = 258


class Tokenizer(Protocol):
    """Turns a text into numbers from 1 on; 0 is kept for what stands behind its end."""

    vocabulary: int
    """How many numbers there are, 0 included."""

    def encode(self, text: str) -> np.ndarray:
        """Return the tokens of a text, int64."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens from 1 on; what is no UTF-8 becomes replacement characters."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return what `tokenizer_from_json` makes the same tokenizer of."""
        ...


class ByteTokens:
    """Each byte is a token."""

    vocabulary = 257

    def encode(self, text: str) -> np.ndarray:
        """Return each byte plus 1."""
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64) + 1

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the bytes of tokens as text."""
        return bytes(token - 1 for token in tokens).decode(errors="replace")

    def as_json(self) -> dict[str, Any]:
        """Return what it is called; there is nothing more to know."""
        return {"tokens": BYTES}


class BytePairTokens:
    """Frequent runs of bytes are a token each (Sennrich et al. 2016), by Hugging Face's tokenizers."""

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers import decoders

        tokenizer.decoder = decoders.ByteLevel()
        self._tokenizer = tokenizer
        self.vocabulary = tokenizer.get_vocab_size() + 1

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> BytePairTokens:
        """Return the tokens that describe some texts in few pieces."""
        from tokenizers import Tokenizer as Trained
        from tokenizers import models, pre_tokenizers, trainers

        tokenizer: Any = Trained(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=size - 1,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )  # type: ignore[call-arg]
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def encode(self, text: str) -> np.ndarray:
        """Return the number of each piece, plus 1."""
        return np.array(self._tokenizer.encode(text).ids, dtype=np.int64) + 1

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the pieces one behind the other."""
        return self._tokenizer.decode([token - 1 for token in tokens])

    def as_json(self) -> dict[str, Any]:
        """Return the whole tokenizer, in the format of its package."""
        return {"tokens": "bpe", "tokenizer": self._tokenizer.to_str()}


def new_tokenizer(name: str, texts: Iterable[str]) -> Tokenizer:
    """Return the tokenizer `bytes`, or `bpe:SIZE`, learnt from texts.

    Raises DiffusionNAGError for another name, and where the package `tokenizers` is missing.
    """
    if name == BYTES:
        return ByteTokens()
    size = name.removeprefix(BYTE_PAIRS)
    if not name.startswith(BYTE_PAIRS) or not size.isdecimal() or int(size) < FEWEST_PAIRS:
        raise DiffusionNAGError(
            f"no tokens {name!r}; there are bytes, and bpe:SIZE with a size from {FEWEST_PAIRS} on"
        )
    require_packages("vision", "tokenizers")
    return BytePairTokens.learn(texts, int(size))


def tokenizer_from_json(content: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer that was kept; raises DiffusionNAGError for anything else."""
    if content.get("tokens") == BYTES:
        return ByteTokens()
    require_packages("vision", "tokenizers")
    from tokenizers import Tokenizer as Kept

    try:
        return BytePairTokens(Kept.from_str(content["tokenizer"]))
    except Exception as error:  # the package raises nothing narrower
        raise DiffusionNAGError("the tokenizer is damaged") from error
