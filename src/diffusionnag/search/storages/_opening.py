"""Where studies are kept: SQLite, a journal file, a database server, or memory."""

from __future__ import annotations

import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial
from sqlalchemy import Engine, event
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.search.storages._journal import open_journal
from diffusionnag.search.storages._served_storage import SERVED, reach_storage

JOURNAL = "journal:"
"""What stands before the path of a journal file; one that ends in .log needs nothing."""
HEARTBEAT = 30
"""Seconds between a trial's signs of life in a database; after two without one, its process on
another machine is dead."""
IN_MEMORY = ("sqlite://", "sqlite:///:memory:")
"""SQLite's names of a database that is kept in memory, as a study is without any storage."""
LOCKED = 60
"""Seconds to wait for other processes that write into an SQLite file."""
CREATIONS = 4
"""Attempts to open a storage."""
CREATION_PAUSE = 0.2
"""Seconds after the first of them; then twice, three times as long."""


@contextmanager
def shared_storage(storage: str | None) -> Iterator[str]:
    """Yield a storage that several processes can share: a temporary one in place of memory."""
    if storage is not None and storage not in IN_MEMORY:
        yield storage
        return
    with tempfile.TemporaryDirectory(prefix="diffusionnag-search-") as folder:
        yield f"{JOURNAL}{folder}/study.log"


def open_existing_storage(text: str) -> BaseStorage:
    """Return a storage to read studies from; where it is a file, that must be there already.

    Raises DiffusionNAGError where it is not, and as `open_storage` does.
    """
    kept_in_file = (JOURNAL, "sqlite:///")
    path = next(
        (text.removeprefix(scheme) for scheme in kept_in_file if text.startswith(scheme)), None
    )
    if text.endswith(".log"):
        path = text.removeprefix(JOURNAL)
    if path is not None and not Path(path).is_file():
        raise DiffusionNAGError(f"no file {path}, so there is no study in it; check the storage")
    return open_storage(text, lambda study, trial: None)


def open_storage(text: str, queue_again: Callable[[Study, FrozenTrial], None]) -> BaseStorage:
    """Return the storage of `sqlite:///FILE`, `journal:FILE`, `FILE.log` or another database's URL.

    One that another process serves is `grpc://HOST:PORT`. `queue_again` is called for a trial of a
    process that died on another machine, where the storage can tell. Raises DiffusionNAGError for any
    other text, a missing driver, and a file that holds something else; EnvironmentFailureError for a
    file that cannot be read or written.
    """
    if text.startswith(SERVED):
        return reach_storage(text)
    if text.startswith(JOURNAL) or text.endswith(".log"):
        return open_journal(text.removeprefix(JOURNAL))
    if text in IN_MEMORY:
        return InMemoryStorage()
    # Of SQLAlchemy's drivers for PostgreSQL the present one is psycopg, whatever its version prefers.
    url = text.replace("postgresql://", "postgresql+psycopg://", 1)
    return _open_database(url, text, queue_again)


def _open_database(
    url: str, text: str, queue_again: Callable[[Study, FrozenTrial], None]
) -> BaseStorage:
    is_file = url.startswith("sqlite")

    def create() -> BaseStorage:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            storage = RDBStorage(
                url,
                engine_kwargs={"connect_args": {"timeout": LOCKED}} if is_file else {},
                heartbeat_interval=HEARTBEAT,
                heartbeat_stale_trial_callback=queue_again,
            )
        if is_file:
            _lock_before_reading(storage.engine)
        return storage

    try:
        for attempt in range(1, CREATIONS):
            try:
                return create()
            except (IntegrityError, OperationalError, ProgrammingError):
                # Of processes that create the same database at once, all but one fail.
                time.sleep(CREATION_PAUSE * attempt)
        return create()
    except ImportError as error:
        raise DiffusionNAGError(
            f"{text} needs a driver ({first_line(error)}); for PostgreSQL: "
            "pip install 'diffusionnag[postgres]'"
        ) from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise DiffusionNAGError(
            f"{text!r} is no storage that can be opened ({first_line(error)}); a file is "
            "sqlite:///search.db or search.log"
        ) from error
    except RuntimeError as error:
        raise DiffusionNAGError(f"{text}: {first_line(error)}") from error


def _lock_before_reading(engine: Engine) -> None:
    """Let each transaction lock an SQLite file before it reads.

    Otherwise two processes may both read that a trial waits, and both run it.
    """
    event.listen(engine, "connect", _leave_transactions_alone)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    # Connections that are open already would stay as they were.
    engine.dispose()


def _leave_transactions_alone(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None


def unusable(storage: str | None, error: BaseException) -> EnvironmentFailureError:
    """Return what to raise where a storage fails that could be opened before."""
    reason = first_line(error.__cause__ or error)
    system = _system_error(error)
    if system is not None:
        reason = system.strerror or str(system)
    return EnvironmentFailureError(f"the storage {storage} cannot be used: {reason}")


def _system_error(error: BaseException | None) -> OSError | None:
    """Return the system's error behind an error of Optuna, None where there is none."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)
