"""Texts of the user's own: labelled ones, files to model, and the tokens they become."""

from diffusionnag.text.corpus import CORPUS_SUFFIXES, read_corpus
from diffusionnag.text.labelled_texts import LabelledTexts, read_texts
from diffusionnag.text.tokens import Tokenizer, new_tokenizer, tokenizer_from_json

__all__ = [
    "CORPUS_SUFFIXES",
    "LabelledTexts",
    "Tokenizer",
    "new_tokenizer",
    "read_corpus",
    "read_texts",
    "tokenizer_from_json",
]
