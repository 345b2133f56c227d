"""Journals: files to which each process appends what it does, one JSON object a line."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.storages.journal._file import get_lock_file

from diffusionnag._files import write_atomically
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError

TORN = ".torn"
"""What stands behind a journal's name for the file of records that were set aside."""
RECORD = b'{"op_code":'
"""How every record of a journal begins."""

logger = logging.getLogger(__name__)


def open_journal(path: str) -> BaseStorage:
    """Return the storage of a journal; half a record, left by a full disk, is set aside.

    Raises DiffusionNAGError for a file that holds something else, EnvironmentFailureError for one
    that cannot be read or written.
    """
    try:
        if Path(path).is_file():
            _set_torn_records_aside(Path(path))
        return JournalStorage(JournalFileBackend(path))
    except OSError as error:
        reason = error.strerror or error
        raise EnvironmentFailureError(f"the storage {path} cannot be used: {reason}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DiffusionNAGError(
            f"{path} is no journal of a study, or a damaged one; name another file"
        ) from error


def _set_torn_records_aside(path: Path) -> None:
    """Move what is no whole record into a file of its own, if the rest of the journal is whole."""
    if _is_whole(path.read_bytes()):
        return
    # Others may be writing: only under the lock is what they write complete.
    with get_lock_file(JournalFileSymlinkLock(str(path))):
        content = path.read_bytes()
        if _is_whole(content):
            return
        whole, torn = _split(content)
        aside = path.with_name(path.name + TORN)
        if torn:
            with aside.open("ab") as file:
                file.write(b"".join(piece + b"\n" for piece in torn))
            logger.warning(
                "%s held half a record, as after a full disk; it is now in %s", path, aside
            )
        with write_atomically(path) as temporary:
            temporary.write_bytes(b"".join(record + b"\n" for record in whole))


def _is_whole(content: bytes) -> bool:
    return not content or (content.endswith(b"\n") and not _split(content)[1])


def _split(content: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the whole records of a journal, and the beginnings of records without their ends.

    These are at the end of the journal, or before the record that was appended next. Raises
    ValueError for a file that holds anything else.
    """
    whole, torn = [], []
    lines = content.rstrip(b"\n").split(b"\n")
    for number, line in enumerate(lines, start=1):
        start = 0 if _is_record(line) else line.rfind(RECORD)
        if _is_record(line[max(start, 0) :]):
            if start:
                (whole if _is_record(line[:start]) else torn).append(line[:start])
            whole.append(line[start:])
        elif number == len(lines) and RECORD.startswith(line[: len(RECORD)]):
            torn.append(line)
        else:
            raise ValueError(f"line {number} is no record of a journal")
    return whole, torn


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
