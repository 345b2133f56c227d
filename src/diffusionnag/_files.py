"""Reading files, and writing them so that nobody ever finds half of one."""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError

__all__ = [
    "check_writable",
    "digest_name",
    "prepare_folder",
    "read_file",
    "read_json",
    "write_atomically",
]

_KEPT_NAME = 50


def digest_name(text: str) -> str:
    """Return a short name for the file or folder of a text, the same in every process."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_file(path: Path) -> bytes:
    """Return what a file holds.

    Raises DiffusionNAGError where there is none, EnvironmentFailureError where it cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DiffusionNAGError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise EnvironmentFailureError(f"cannot read {path}: {reason}") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises ValueError for any other file, and for one nested deeper than Python can follow; OSError
    where it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply") from error


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`, empty and of the same suffix, that becomes `path`.

    It replaces `path` when the block ends, and is removed when the block fails, so that a reader
    finds the old file or the whole new one. A link is followed; a device or pipe, such as
    /dev/stdout, cannot be replaced and is yielded itself. Raises EnvironmentFailureError where
    `path` cannot be written.
    """
    temporary = None
    try:
        if path.is_dir():
            raise EnvironmentFailureError(f"cannot write {path}: it is a folder")
        if path.exists() and not path.is_file():
            yield path
            return
        target = path.resolve()
        if not target.parent.is_dir():
            raise EnvironmentFailureError(f"cannot write {path}: no folder {path.parent}")
        name = f".{target.stem[:_KEPT_NAME]}-{secrets.token_hex(4)}{target.suffix}"
        temporary = target.with_name(name)
        temporary.touch(exist_ok=False)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if error.filename not in (None, str(path), str(temporary)):
            raise
        raise EnvironmentFailureError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def check_writable(path: Path) -> None:
    """Make sure, before work begins, that `path` can be written when the work is done.

    Raises EnvironmentFailureError where it cannot.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        return  # a device or pipe
    if path.is_dir():
        raise EnvironmentFailureError(f"cannot write {path}: it is a folder")
    if not path.absolute().parent.is_dir():
        raise EnvironmentFailureError(f"cannot write {path}: no folder {path.parent}")
    _probe(path.absolute().parent, f"cannot write {path}")


def prepare_folder(folder: Path) -> None:
    """Create a folder, and make sure of being able to write in it before long work begins.

    Raises EnvironmentFailureError where that fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFailureError(
            f"cannot write into {folder}: {error.strerror or error}"
        ) from error
    _probe(folder, f"cannot write into {folder}")


def _probe(folder: Path, failure: str) -> None:
    probe = folder / f".{secrets.token_hex(4)}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise EnvironmentFailureError(f"{failure}: {error.strerror or error}") from error
