"""A text file that a language model learns from."""

from __future__ import annotations

from pathlib import Path

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError

CORPUS_SUFFIXES = (".txt", ".md", ".text")
"""Files that are one text, rather than a table of labelled ones."""


def read_corpus(path: str | Path) -> str:
    """Return the text of a file; bytes that are no UTF-8 become replacement characters.

    Raises DiffusionNAGError where there is no such file, EnvironmentFailureError where it cannot be
    read.
    """
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DiffusionNAGError(f"no file {path}") from error
    except OSError as error:
        raise EnvironmentFailureError(f"cannot read {path}: {error.strerror}") from error
