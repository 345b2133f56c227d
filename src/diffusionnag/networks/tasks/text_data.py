"""Labelled texts as examples: tokens of at most the context, zeros behind the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.tasks.splitting import split_rows
from diffusionnag.networks.tasks.supervised import Examples, SupervisedData
from diffusionnag.spaces import TextClassification
from diffusionnag.text import LabelledTexts, Tokenizer, new_tokenizer, read_texts


def read_text_data(
    data: str | Path,
    task: TextClassification,
    *,
    test: str | Path | None = None,
    target: str | None = None,
    tokens: str = "bytes",
    subset: int | None = None,
    seed: int = 0,
) -> SupervisedData:
    """Read labelled texts as tokens, the first of each if there are more than the context."""
    texts = read_texts(data, target)
    if len(texts.classes) < 2:
        raise DiffusionNAGError(f"{data} holds one class only; there is nothing to tell apart")
    others = texts if test is None else read_texts(test, target)
    unknown = set(others.classes) - set(texts.classes)
    if unknown:
        raise DiffusionNAGError(f"{test} has a class {min(unknown)!r} that is not trained on")
    seen, held_out = split_rows(len(texts), None if test is None else len(others), subset, seed)
    tokenizer = new_tokenizer(tokens, (texts.texts[row] for row in seen))
    numbers = np.array([texts.classes.index(name) for name in others.classes], dtype=np.int64)
    task = replace(task, classes=len(texts.classes), vocabulary=tokenizer.vocabulary)
    return SupervisedData(
        task,
        Examples(_tokens(texts, seen, tokenizer, task.context), texts.labels[seen]),
        Examples(
            _tokens(others, held_out, tokenizer, task.context), numbers[others.labels[held_out]]
        ),
        {"classes": texts.classes} | tokenizer.as_json(),
        noun="texts",
    )


def _tokens(
    texts: LabelledTexts, rows: np.ndarray, tokenizer: Tokenizer, context: int
) -> np.ndarray:
    """Return the tokens of texts, `rows x length` int32, as long as the longest needs."""
    encoded = [tokenizer.encode(texts.texts[row])[:context] for row in rows]
    tokens = np.zeros((len(rows), max(map(len, encoded))), dtype=np.int32)
    for place, numbers in enumerate(encoded):
        tokens[place, : len(numbers)] = numbers
    return tokens
